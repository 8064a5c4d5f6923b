import type * as nodeFs from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { ledgerPath, parseMountCommand, parseMountInfo, Volumes } from '../../src/state/volume.ts'

/** Disks by their volumes' ids, as udev links them. */
const disks: Record<string, string> = { '3A5F-10C2': 'sdb1', 'c0ffee00-aaaa-bbbb-cccc-000000000001': 'vda1' }

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof nodeFs>()
  const folder = '/dev/disk/by-uuid'
  return {
    ...fs,
    readdirSync: (path: string, ...rest: []) => (path === folder ? Object.keys(disks) : fs.readdirSync(path, ...rest)),
    realpathSync: (path: string) =>
      path.startsWith('/dev/')
        ? `/dev/${disks[path.slice(folder.length + 1)] ?? path.slice(5)}`
        : fs.realpathSync(path),
  }
})

const mountInfo = String.raw`
21 28 0:19 / /sys rw,nosuid shared:7 - sysfs sysfs rw
28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard
31 28 0:26 / /dev/shm rw,nosuid shared:4 - tmpfs tmpfs rw
40 28 8:17 / /media/me/EOS\040DIGITAL rw,nosuid,nodev shared:100 - vfat /dev/sdb1 rw,uid=1000
41 28 0:50 / /mnt/nas rw,relatime shared:101 - nfs4 nas:/export/photos rw,vers=4.2
42 28 0:51 / /mnt/nas/deep rw,relatime - fuse.sshfs me@host:/photos rw
43 28 0:52 /a\134b /mnt/back\134slash rw - cifs //server/share\040name rw
44 28 8:33 / /mnt/twice rw - xfs /dev/sdc1 rw
45 44 8:49 / /mnt/twice rw - exfat /dev/sdd1 rw
46 28 0:60 / /mnt/none rw
47 28 0:61 / /mnt/odd rw master:1 propagate_from:2 - brandnewfs dev rw
`
const volumes = new Volumes(parseMountInfo(mountInfo))

describe('mountinfo', () => {
  it('gives each mount its type, its place and its device', () => {
    const mounts = parseMountInfo(mountInfo)
    expect(mounts).toContainEqual({ type: 'vfat', mountPoint: '/media/me/EOS DIGITAL', device: '/dev/sdb1' })
    expect(mounts).toContainEqual({ type: 'cifs', mountPoint: '/mnt/back\\slash', device: '//server/share name' })
    expect(mounts).toContainEqual({ type: 'brandnewfs', mountPoint: '/mnt/odd', device: 'dev' })
    expect(mounts).toHaveLength(10)
  })

  it.each(['', '\n', 'garbage', '1 2 3 - ', ' - '])('makes nothing of %j', (text) => {
    expect(parseMountInfo(text)).toEqual([])
  })
})

describe('the mount command of macOS', () => {
  it('gives each mount its type, its place and its device', () => {
    const text = [
      '/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)',
      'devfs on /dev (devfs, local, nobrowse)',
      'map auto_home on /System/Volumes/Data/home (autofs, automounted, nobrowse)',
      '/dev/disk4s1 on /Volumes/EOS_DIGITAL (exfat, local, nodev, nosuid, noowners)',
      '/dev/disk5s1 on /Volumes/NO NAME (1) (msdos, local)',
      '//me@nas/Photos%20on%20NAS on /Volumes/Photos on NAS (smbfs, nodev, nosuid, mounted by me)',
      '//me@nas/Photos on NAS on /Volumes/Other (smbfs)',
      '',
    ].join('\n')
    expect(parseMountCommand(text)).toEqual([
      { device: '/dev/disk3s1s1', mountPoint: '/', type: 'apfs' },
      { device: 'devfs', mountPoint: '/dev', type: 'devfs' },
      { device: 'map auto_home', mountPoint: '/System/Volumes/Data/home', type: 'autofs' },
      { device: '/dev/disk4s1', mountPoint: '/Volumes/EOS_DIGITAL', type: 'exfat' },
      { device: '/dev/disk5s1', mountPoint: '/Volumes/NO NAME (1)', type: 'msdos' },
      { device: '//me@nas/Photos%20on%20NAS', mountPoint: '/Volumes/Photos on NAS', type: 'smbfs' },
      { device: '//me@nas/Photos on NAS', mountPoint: '/Volumes/Other', type: 'smbfs' },
    ])
  })
})

describe('the volume that holds a path', () => {
  it.each([
    ['/home/me/a.jpg', 'ext4'],
    ['/', 'ext4'],
    ['/dev/shm/x', 'tmpfs'],
    ['/dev/shmoo', 'ext4'],
    ['/media/me/EOS DIGITAL', 'vfat'],
    ['/media/me/EOS DIGITAL/DCIM', 'vfat'],
    ['/media/me/EOS DIGITAL 2', 'ext4'],
    ['/mnt/nas/a', 'nfs4'],
    ['/mnt/nas/deep/a', 'fuse.sshfs'],
    ['/mnt/twice/a', 'exfat'],
  ])('%s lies on %s', (path, type) => {
    expect(volumes.at(path).type).toBe(type)
  })

  it('is an unknown one where nothing is known', () => {
    expect(new Volumes([]).at('/home/me')).toMatchObject({ type: 'unknown', stableInodes: false, volatile: false })
    if (process.platform !== 'win32') expect(new Volumes([]).at('/home/me').local).toBe(false)
  })
})

describe('what a volume can be trusted with', () => {
  it.each([
    ['/home', { local: true, stableInodes: true, volatile: false, maxFileBytes: Number.MAX_SAFE_INTEGER }],
    ['/dev/shm', { local: true, stableInodes: true, volatile: true }],
    ['/media/me/EOS DIGITAL', { local: true, stableInodes: false, volatile: false, maxFileBytes: 2 ** 32 - 1 }],
    ['/mnt/nas', { local: false, stableInodes: false }],
    ['/mnt/nas/deep', { local: false, stableInodes: false }],
    ['/mnt/back\\slash', { local: false, stableInodes: false }],
    ['/mnt/twice', { local: true, stableInodes: false, maxFileBytes: Number.MAX_SAFE_INTEGER }],
    ['/mnt/odd', { local: false }],
  ])('%s', (path, expected) => {
    expect(volumes.at(path)).toMatchObject(expected)
  })
})

describe.skipIf(process.platform !== 'linux')('a card', () => {
  const onCard = '/media/me/EOS DIGITAL/DCIM/100EOS'

  it('is known by its volume, wherever it is mounted', () => {
    expect(volumes.at(onCard).id).toBe('3A5F-10C2')
    const elsewhere = new Volumes([{ type: 'vfat', mountPoint: '/mnt/card', device: '/dev/sdb1' }])
    const known = 'volume:3A5F-10C2/DCIM/100EOS'
    expect(ledgerPath(onCard, volumes.at(onCard))).toBe(known)
    expect(ledgerPath('/mnt/card/DCIM/100EOS', elsewhere.at('/mnt/card/DCIM/100EOS'))).toBe(known)
    expect(ledgerPath('/mnt/card', elsewhere.at('/mnt/card'))).toBe('volume:3A5F-10C2/')
  })

  it('without an id is known by where it is mounted, as all other disks are', () => {
    expect(volumes.at('/mnt/twice').id).toBeUndefined()
    expect(ledgerPath('/mnt/twice/a', volumes.at('/mnt/twice/a'))).toBe('/mnt/twice/a')
    expect(volumes.at('/home').id).toBeUndefined()
    expect(ledgerPath('/home/a', volumes.at('/home/a'))).toBe('/home/a')
  })
})
