import type { IncomingMessage } from 'node:http'
import { hostname, userInfo } from 'node:os'
import type { Caller } from '../shared/contract/base.ts'

/** Who is at the other end: whoever can open our socket or has our cookie is the user that runs this process. */
export function localCaller(via: Caller['via']): Caller {
  return { operator: `${userInfo().username}@${hostname()}`, via }
}

/** Set by whoever comes over SSH: what the operator is called where they sit. */
export const operatorHeader = 'x-lockstep-operator'

/** As `user@host` can be, and nothing that could pass for another field of an audit row. */
const operatorName = /^[\w.][\w.-]{0,63}@[\w.][\w.-]{0,252}$/

export const isOperatorName = (text: string): boolean => operatorName.test(text)

/**
 * Who is at the other end of our socket. The socket can be opened by one user of the system alone, so whoever comes is that
 * user, whatever else they call themselves: a name brought along stands beside the proven one, never in its place.
 */
export function socketCaller({ headers }: Pick<IncomingMessage, 'headers'>): Caller {
  const named = headers[operatorHeader]
  if (named === undefined) return localCaller('socket')
  const claimed = typeof named === 'string' && isOperatorName(named) ? named : 'unnamed'
  return { operator: `${claimed} as ${localCaller('remote').operator}`, via: 'remote' }
}
