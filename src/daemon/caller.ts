import { hostname, userInfo } from 'node:os'
import type { Caller } from '../shared/contract/base.ts'

/** Who is at the other end: whoever can open our socket or has our cookie is the user that runs this process. */
export function localCaller(via: Caller['via']): Caller {
  return { operator: `${userInfo().username}@${hostname()}`, via }
}
