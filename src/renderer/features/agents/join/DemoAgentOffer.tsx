import { useQuery } from '@tanstack/react-query'
import type { DemoAgent } from '../../../../shared/model/demo.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent, shellQuote } from '../../../components/CliEquivalent.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'

const demoAgentName = 'demo-agent-01'

/** With a demo fleet up, a real agent on this machine is one press away; it runs when a person says so. */
export function DemoAgentOffer() {
  const { client } = useLink()
  const stale = useStale()
  const status = useQuery({ queryKey: ['demo status'], queryFn: () => client.demo.status() })
  const enroll = useCall<DemoAgent>()
  if (enroll.answer !== null) return <RunIt agent={enroll.answer} />
  if (status.data?.up !== true) return null
  return (
    <section aria-label="Demo agent" className="flex flex-col gap-2 rounded-md border p-3">
      <p className="text-muted">
        The demo fleet is up: a real agent on this machine can push a thousand files to its storage. The gateway is
        switched on for that, on loopback only, if it is off.
      </p>
      <div>
        <Button
          busy={enroll.busy}
          disabled={stale}
          onClick={() => void enroll.run(() => client.demo.enrollAgent({ name: demoAgentName }))}
        >
          Enroll a demo agent
        </Button>
      </div>
      {enroll.error !== null && <ErrorNote error={enroll.error} />}
      <CliEquivalent command={`lockstep demo agent --name ${demoAgentName}`} />
    </section>
  )
}

/** It starts when it is told to, as one under a timer would. */
function RunIt({ agent }: { readonly agent: DemoAgent }) {
  return (
    <section aria-label="Demo agent" className="flex flex-col gap-2 rounded-md border border-in-step p-3">
      <p role="status">
        {agent.name} is enrolled and pushes {agent.sourceDirectory} to {agent.storage}. Run it and watch it here:
      </p>
      <CliEquivalent command={agent.runCommand.map(shellQuote).join(' ')} />
    </section>
  )
}
