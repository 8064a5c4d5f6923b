import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { basename, join, posix } from 'node:path'

/** What a mounted file system can be trusted with. */
export interface Volume {
  /** As the system calls it: `ext4`, `vfat`, `fuse.sshfs`, `apfs`; `unknown` where it doesn't tell. */
  type: string
  mountPoint: string
  /** Of the medium, not of the place where it is mounted; only asked for removable types. */
  id?: string
  /** Inodes and ctimes that stay: else only size and mtime tell whether a file is the same. */
  stableInodes: boolean
  /** A power cut loses everything on it, so that waiting for it to be durable is pointless. */
  volatile: boolean
  /** On this machine's own disks: shared memory and POSIX locks work, so SQLite's WAL does. */
  local: boolean
  maxFileBytes: number
}

interface Mount {
  type: string
  mountPoint: string
  device: string
}

const localTypes = new Set([
  'ext2',
  'ext3',
  'ext4',
  'xfs',
  'btrfs',
  'zfs',
  'f2fs',
  'bcachefs',
  'overlay',
  'tmpfs',
  'ramfs',
  'apfs',
  'hfs',
  'hfsplus',
  'ufs',
  'ntfs',
  'ntfs3',
  'fuseblk',
  'vfat',
  'msdos',
  'exfat',
  'jfs',
  'reiserfs',
  'nilfs2',
  'refs',
])
const volatileTypes = new Set(['tmpfs', 'ramfs'])
/** Cards and sticks: they come back under other mount points and, being FAT or foreign, without inodes that last. */
const cardTypes = new Set(['vfat', 'msdos', 'exfat'])
/** NTFS through FUSE, and every other FUSE or network file system, makes inode numbers up as it goes. */
const looseInodes = /^(vfat|msdos|exfat|fuse.*|cifs|smb.*|nfs.*|9p|afpfs|webdav|unknown)$/
/** FAT stores a file's size in 32 bits. */
const fatMaxFileBytes = 2 ** 32 - 1

/** The mounted volumes, as they were when it was made. */
export class Volumes {
  readonly #mounts: Mount[]
  readonly #byMount = new Map<string, Volume>()

  constructor(mounts: Mount[] = systemMounts()) {
    // the longest mount point first, and of two on one point the later, which hides the earlier
    this.#mounts = mounts.toReversed().toSorted((a, b) => b.mountPoint.length - a.mountPoint.length)
  }

  /** The volume that holds `path`, an absolute path without symbolic links. */
  at(path: string): Volume {
    const mount = this.#mounts.find(({ mountPoint }) => isInside(path, mountPoint))
    if (!mount) return unknownVolume(path)
    let volume = this.#byMount.get(mount.mountPoint)
    if (!volume) {
      volume = volumeOf(mount)
      this.#byMount.set(mount.mountPoint, volume)
    }
    return volume
  }
}

/** `path` as the ledger knows it: cards by their volume, so that the next reader or mount point finds the same files. */
export function ledgerPath(path: string, volume: Volume): string {
  if (volume.id === undefined) return path
  const inside = path.slice(volume.mountPoint.length).replace(/^\/+/, '')
  return `volume:${volume.id}/${inside}`
}

function isInside(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`)
}

function volumeOf({ type, mountPoint, device }: Mount): Volume {
  const id = cardTypes.has(type) ? volumeId(device) : undefined
  return {
    type,
    mountPoint,
    ...(id === undefined ? {} : { id }),
    stableInodes: !looseInodes.test(type),
    volatile: volatileTypes.has(type),
    local: localTypes.has(type),
    maxFileBytes: type === 'vfat' || type === 'msdos' ? fatMaxFileBytes : Number.MAX_SAFE_INTEGER,
  }
}

function unknownVolume(path: string): Volume {
  return {
    type: 'unknown',
    mountPoint: posix.parse(path).root,
    stableInodes: false,
    volatile: false,
    // Windows names a share by two backslashes; a drive letter is a disk until something says otherwise
    local: process.platform === 'win32' && !path.startsWith('\\\\'),
    maxFileBytes: Number.MAX_SAFE_INTEGER,
  }
}

function systemMounts(): Mount[] {
  try {
    if (process.platform === 'linux') return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'))
    if (process.platform === 'darwin') return parseMountCommand(outputOf('/sbin/mount'))
  } catch {
    // a sandbox may hide the mounts: every volume is then an unknown one, the careful case
  }
  return []
}

/** https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html */
export function parseMountInfo(text: string): Mount[] {
  return text
    .split('\n')
    .filter(Boolean)
    .flatMap((line) => {
      const [before = '', after = ''] = line.split(' - ')
      const mountPoint = before.split(' ')[4]
      const [type, device] = after.split(' ')
      return mountPoint && type
        ? [{ type, mountPoint: unescapeOctal(mountPoint), device: unescapeOctal(device ?? '') }]
        : []
    })
}

/** `/dev/disk4s1 on /Volumes/EOS_DIGITAL (exfat, local, nodev)` */
export function parseMountCommand(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(.+?) on (\/.*) \(([^,)]+)/.exec(line)
    return match ? [{ device: match[1] as string, mountPoint: match[2] as string, type: match[3] as string }] : []
  })
}

/** Only macOS asks programs, so only it loads what runs them. */
function outputOf(program: string, ...args: string[]): string {
  return process.getBuiltinModule('node:child_process').execFileSync(program, args, { encoding: 'utf8' })
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

function volumeId(device: string): string | undefined {
  try {
    if (process.platform === 'darwin') {
      return /Volume UUID:\s+(\S+)/.exec(outputOf('/usr/sbin/diskutil', 'info', device))?.[1]
    }
    const folder = '/dev/disk/by-uuid'
    return readdirSync(folder).find(
      (uuid) => basename(realpathSync(join(folder, uuid))) === basename(realpathSync(device)),
    )
  } catch {
    return undefined
  }
}
