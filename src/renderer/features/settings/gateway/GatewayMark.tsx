import type { GatewayStatus } from '../../../../shared/model/agent.ts'
import { Mark } from '../../../components/StatusMark.tsx'

/** Listening, off, or meant to listen and not able to. */
export function GatewayMark({ gateway }: { readonly gateway: GatewayStatus }) {
  if (gateway.settings === null)
    return (
      <Mark
        withWord
        word="off"
        colour="text-muted"
        shape={<circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" strokeWidth="1.5" />}
      />
    )
  if (gateway.listening)
    return (
      <Mark
        withWord
        word="listening"
        colour="text-in-step"
        shape={
          <>
            <circle cx="6" cy="6" r="2.5" fill="currentColor" />
            <circle cx="6" cy="6" r="4.75" fill="none" stroke="currentColor" />
          </>
        }
      />
    )
  return (
    <Mark
      withWord
      word="not listening"
      colour="text-error"
      shape={<path d="M2 2 L10 10 M10 2 L2 10" fill="none" stroke="currentColor" strokeWidth="2.4" />}
    />
  )
}
