import { Readable } from 'node:stream'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { type FakeStorage, startStorage, type StoredFile } from './storage.ts'

let storage: FakeStorage

beforeEach(async () => {
  storage = await startStorage({ rpc: async (fn, args, { role }) => ({ fn, args, role }) })
  storage.createBucket('photos')
})
afterEach(() => storage.close())

const client = (key = storage.serviceKey): SupabaseClient =>
  createClient(storage.url, key, { auth: { autoRefreshToken: false, persistSession: false } })
const stored = (key: string): StoredFile | undefined => storage.objects('photos').get(key)
const contentType = 'image/jpeg'

describe('the published client', () => {
  it('uploads, downloads, asks, lists, moves, copies and removes', async () => {
    const photos = client().storage.from('photos')
    const sent = await photos.upload('x/a.jpg', Buffer.from('hello'), { contentType, metadata: { taken_at: 'now' } })
    expect(sent.data).toMatchObject({ path: 'x/a.jpg', fullPath: 'photos/x/a.jpg', id: stored('x/a.jpg')?.id })
    expect(await (await photos.download('x/a.jpg')).data?.text()).toBe('hello')
    // its keys are camel-cased on the way
    expect((await photos.info('x/a.jpg')).data).toMatchObject({ size: 5, contentType, metadata: { takenAt: 'now' } })
    expect((await photos.list('x')).data).toMatchObject([{ name: 'a.jpg', metadata: { size: 5 } }])
    expect((await photos.list()).data).toMatchObject([{ name: 'x', id: null }])
    expect((await photos.listV2({ prefix: 'x/' })).data).toMatchObject({
      hasNext: false,
      objects: [{ key: 'x/a.jpg' }],
    })
    expect((await photos.move('x/a.jpg', 'y/b.jpg')).error).toBeNull()
    expect((await photos.copy('y/b.jpg', 'z/c.jpg')).data).toEqual({ path: 'photos/z/c.jpg' })
    expect((await photos.exists('x/a.jpg')).data).toBe(false)
    expect((await photos.exists('y/b.jpg')).data).toBe(true)
    expect((await photos.remove(['y/b.jpg', 'no.jpg'])).data).toMatchObject([{ name: 'y/b.jpg' }])
    expect([...storage.objects('photos').keys()]).toEqual(['z/c.jpg'])
  })

  it('is told what is wrong, without the code', async () => {
    const photos = client().storage.from('photos')
    await photos.upload('a.jpg', 'one', { contentType })
    const { error } = await photos.upload('a.jpg', 'two', { contentType })
    expect(error).toMatchObject({ message: 'The resource already exists', status: 400, statusCode: '409' })
    expect(error).not.toHaveProperty('code')
    expect((await photos.upload('a.jpg', 'two', { contentType, upsert: true })).error).toBeNull()
    expect((await photos.update('a.jpg', 'three', { contentType })).error).toBeNull()
    expect(stored('a.jpg')?.bytes).toBe(5)
  })

  it('uploads by a signed URL', async () => {
    const photos = client().storage.from('photos')
    const { data } = await photos.createSignedUploadUrl('a/b.jpg')
    const anonymous = client(storage.anonKey).storage.from('photos')
    const sent = await anonymous.uploadToSignedUrl('a/b.jpg', data?.token ?? '', 'hello', { contentType })
    expect(sent.data).toMatchObject({ fullPath: 'photos/a/b.jpg' })
    expect(stored('a/b.jpg')).toMatchObject({ bytes: 5, type: contentType })
  })

  it('sends a Blob as a form, whose own type counts', async () => {
    const photos = client().storage.from('photos')
    const blob = new Blob(['hello'], { type: 'image/png' })
    await photos.upload('a.jpg', blob, { contentType, metadata: { digest: 'abc' }, cacheControl: '60' })
    expect(stored('a.jpg')).toMatchObject({
      bytes: 5,
      type: 'image/png',
      metadata: { digest: 'abc' },
      cacheControl: 'max-age=60',
    })
  })

  it('sends a stream without its length, past the limit of a bucket', async () => {
    storage.createBucket('small', { fileSizeLimit: 3 })
    const small = client().storage.from('small')
    const sent = await small.upload('a.jpg', Readable.from([Buffer.from('hello')]), { contentType })
    expect(sent.error).toBeNull()
    expect(storage.objects('small').get('a.jpg')?.bytes).toBe(5)
    expect((await small.upload('b.jpg', 'hello', { contentType })).error).toMatchObject({ statusCode: '413' })
  })

  it('does not encode: what follows # or ? is lost, and .. leads into another bucket', async () => {
    storage.createBucket('other')
    const photos = client().storage.from('photos')
    const sent = await photos.upload('a#b.jpg', 'x', { contentType })
    expect(sent).toMatchObject({ error: null, data: { path: 'a#b.jpg', fullPath: 'photos/a' } })
    await photos.upload('../other/x', 'x', { contentType })
    expect([...storage.objects('photos').keys()]).toEqual(['a'])
    expect([...storage.objects('other').keys()]).toEqual(['x'])
  })

  it('logs in, refreshes, and calls functions as the user', async () => {
    const id = storage.accounts.add('ann@example.org', 'secret')
    const supabase = client(storage.anonKey)
    const { data } = await supabase.auth.signInWithPassword({ email: 'ann@example.org', password: 'secret' })
    expect(data.user?.id).toBe(id)
    expect((await supabase.rpc('claim', { n: 1 })).data).toEqual({ fn: 'claim', args: { n: 1 }, role: 'authenticated' })
    const refreshed = await supabase.auth.refreshSession()
    expect(refreshed.data.session?.refresh_token).not.toBe(data.session?.refresh_token)
    expect((await supabase.auth.getUser()).data.user?.id).toBe(id)
    expect(storage.counters.refreshes).toBe(1)
  })

  it('makes and finds buckets', async () => {
    const { storage: api } = client()
    expect((await api.createBucket('new', { public: false, fileSizeLimit: 100 })).error).toBeNull()
    expect((await api.getBucket('new')).data).toMatchObject({ id: 'new', file_size_limit: 100 })
    expect((await api.listBuckets()).data?.map(({ name }) => name)).toEqual(['photos', 'new'])
  })
})
