import { protocol } from './protocol.ts'
import { record } from './recorder.ts'

/** Chromium's own answers to permission requests stay in force (headless: denied); that handlers were set is recorded. */
function createSession(name: string) {
  return {
    protocol,
    setPermissionRequestHandler: (handler: unknown) => record('session.setPermissionRequestHandler', name, handler),
    setPermissionCheckHandler: (handler: unknown) => record('session.setPermissionCheckHandler', name, handler),
    setDevicePermissionHandler: (handler: unknown) => record('session.setDevicePermissionHandler', name, handler),
    setDisplayMediaRequestHandler: (handler: unknown) => record('session.setDisplayMediaRequestHandler', name, handler),
    setSpellCheckerEnabled: (enabled: boolean) => record('session.setSpellCheckerEnabled', name, enabled),
    on: (event: string) => record('session.on', name, event),
  }
}

export const session = { defaultSession: createSession('default'), fromPartition: createSession }
