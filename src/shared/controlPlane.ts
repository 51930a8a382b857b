import { z } from 'zod'

/**
 * `user@host[:port]`, or an alias of the operator's ssh configuration; an IPv6 address stands in brackets. No part begins
 * with a dash: ssh must not take it for an option.
 */
export const controlPlaneName =
  /^(?:(?<user>[\w.][\w.$-]{0,63})@)?(?:\[(?<address>[0-9A-Fa-f:.%\w]{2,64})\]|(?<host>[\w.][\w.-]{0,252}))(?::(?<port>\d{1,5}))?$/

/** Absolute, or in the home of the user one logs in as. */
const remoteHome = /^(?:~?\/)[^\p{Cc}]{0,4094}$|^~$/u

/** Another machine's control plane as a person names it. */
export const ControlPlane = z.strictObject({
  name: z.string().regex(controlPlaneName, 'Name it as user@host or user@host:port, or by its ssh alias.'),
  /** Its home directory there; null: the usual places are looked at. */
  home: z.string().regex(remoteHome, 'An absolute path, or one that begins with ~/.').nullable(),
})
export type ControlPlane = z.infer<typeof ControlPlane>
