/** What row-level security lets a role do to objects. */
export interface Access {
  select: boolean
  insert: boolean
  update: boolean
  delete: boolean
}

/** By role. A role that is not here is unknown to the database, which is another error than being refused. */
export type Policy = Record<string, Access>

const all = (): Access => ({ select: true, insert: true, update: true, delete: true })
const none = (): Access => ({ select: false, insert: false, update: false, delete: false })

/** A new project: only the service role may do anything. */
export const newPolicy = (): Policy => ({ service_role: all(), authenticated: none(), anon: none() })

/** Enough to store under a new name, and nothing else. */
export const insertOnly = (): Access => ({ ...none(), insert: true })

export const mayStore = (access: Access, upsert: boolean): boolean =>
  access.insert && (!upsert || (access.update && access.select))
