import { z } from 'zod'
import { ControlPlane } from '../shared/controlPlane.ts'
import type { ShellAnswer } from '../shared/desktopBridge.ts'
import { AppError, assertNever, toAppError } from '../shared/errors.ts'
import { TerminalId } from '../shared/model/ids.ts'

const requestId = z.string().min(1).max(64)
/** A route of the page: never a URL. */
const routeHash = z
  .string()
  .max(512)
  .regex(/^#\/[^\s]*$/, 'a route starts with #/')

export const DesktopNoticeInput = z.strictObject({
  title: z.string().min(1).max(200),
  body: z.string().max(2000),
  hash: routeHash.optional(),
})

const longestCopy = 1_048_576

/** Everything a page may ask of the main process; whatever is not exactly one of these is refused. */
export const ShellCallInput = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('requestEnginePort'), requestId }),
  z.strictObject({ kind: z.literal('requestTerminalPort'), requestId, terminalId: TerminalId }),
  z.strictObject({ kind: z.literal('notify'), notice: DesktopNoticeInput }),
  z.strictObject({ kind: z.literal('openExternal'), url: z.string().max(2048) }),
  z.strictObject({ kind: z.literal('copyText'), text: z.string().max(longestCopy) }),
  z.strictObject({ kind: z.literal('openWindow'), hash: routeHash }),
  z.strictObject({ kind: z.literal('engineState') }),
  z.strictObject({ kind: z.literal('restartEngine') }),
  z.strictObject({ kind: z.literal('connectTo'), controlPlane: ControlPlane.nullable() }),
  z.strictObject({ kind: z.literal('recentControlPlanes') }),
])
export type ShellCallInput = z.infer<typeof ShellCallInput>

/** One function for each kind of call. */
export type ShellHandlers<Sender> = {
  readonly [Kind in ShellCallInput['kind']]: (
    call: Extract<ShellCallInput, { kind: Kind }>,
    sender: Sender,
  ) => ShellAnswer | Promise<ShellAnswer>
}

/** Parses and carries out one call. Never throws: a failure is an answer. */
export async function answerShellCall<Sender>(
  input: unknown,
  sender: Sender,
  handlers: ShellHandlers<Sender>,
): Promise<ShellAnswer> {
  const parsed = ShellCallInput.safeParse(input)
  if (!parsed.success) {
    return {
      ok: false,
      error: new AppError(
        'INVALID_INPUT',
        `The window sent a call that is not known: ${z.prettifyError(parsed.error)}`,
      ).toBody(),
    }
  }
  try {
    return await dispatch(parsed.data, sender, handlers)
  } catch (thrown) {
    return { ok: false, error: toAppError(thrown).toBody() }
  }
}

function dispatch<Sender>(
  call: ShellCallInput,
  sender: Sender,
  handlers: ShellHandlers<Sender>,
): ShellAnswer | Promise<ShellAnswer> {
  switch (call.kind) {
    case 'requestEnginePort':
      return handlers.requestEnginePort(call, sender)
    case 'requestTerminalPort':
      return handlers.requestTerminalPort(call, sender)
    case 'notify':
      return handlers.notify(call, sender)
    case 'openExternal':
      return handlers.openExternal(call, sender)
    case 'copyText':
      return handlers.copyText(call, sender)
    case 'openWindow':
      return handlers.openWindow(call, sender)
    case 'engineState':
      return handlers.engineState(call, sender)
    case 'restartEngine':
      return handlers.restartEngine(call, sender)
    case 'connectTo':
      return handlers.connectTo(call, sender)
    case 'recentControlPlanes':
      return handlers.recentControlPlanes(call, sender)
    default:
      return assertNever(call)
  }
}
