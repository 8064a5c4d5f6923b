import { type Answer, type Call, header, ok } from './call.ts'
import { refusals } from './errors.ts'
import { checkKey } from './keys.ts'
import { mayStore } from './policy.ts'
import { accessOf, type Service } from './service.ts'
import { nowSeconds } from './tokens.ts'
import { storeBody } from './upload.ts'

const validSeconds = 2 * 60 * 60

/** POST /object/upload/sign/bucket/key: whoever gets the URL may store that one object, without a token of its own. */
export async function signUpload(service: Service, call: Call): Promise<Answer> {
  const bucket = service.store.bucket(call.bucket)
  checkKey(call.key)
  const upsert = header(call, 'x-upsert') === 'true'
  if (!mayStore(accessOf(service, call), upsert)) throw refusals.rowSecurity()
  if (!upsert && bucket.objects.has(call.key)) throw refusals.keyAlreadyExists()
  const token = service.tokens.sign({
    role: 'signed_upload',
    url: `${call.bucket}/${call.key}`,
    upsert,
    exp: nowSeconds() + validSeconds,
    ...(call.claims.sub !== undefined && { sub: call.claims.sub }),
  })
  return ok({ url: `/object/upload/sign/${encoded(call.bucket)}/${encoded(call.key)}?token=${token}`, token })
}

const encoded = (path: string): string => path.split('/').map(encodeURIComponent).join('/')

/** PUT with the `token`. It holds for its path, and once: what it stored is there then, and it may not replace it. */
export async function uploadSigned(service: Service, call: Call): Promise<Answer> {
  const token = call.query.get('token')
  if (token === null) throw refusals.invalidRequest("querystring must have required property 'token'")
  try {
    call.claims = service.tokens.verify(token)
  } catch (error) {
    throw refusals.invalidSignature((error as Error).message)
  }
  if (call.claims['url'] !== `${call.bucket}/${call.key}`) throw refusals.invalidSignature('Invalid signature')
  const bucket = service.store.bucket(call.bucket)
  checkKey(call.key)
  return storeBody(service, call, bucket, call.claims['upsert'] === true)
}
