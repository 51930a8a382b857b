import { implement } from '@orpc/server'
import type { Caller } from '../../shared/contract/base.ts'
import { contract } from '../../shared/contract/index.ts'
import { toContractError } from './errors.ts'

/** The contract to be implemented: every handler knows its caller, every error leaves in the contract's form. */
export const os = implement(contract)
  .$context<{ readonly caller: Caller }>()
  .use(async ({ next }) => {
    try {
      return await next()
    } catch (thrown) {
      throw toContractError(thrown)
    }
  })
