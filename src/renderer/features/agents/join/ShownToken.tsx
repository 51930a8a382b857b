import type { JoinToken, NewJoinToken } from '../../../../shared/model/agent.ts'
import type { AgentId } from '../../../../shared/model/ids.ts'
import { Button } from '../../../components/Button.tsx'
import { CopyButton } from '../../../components/CopyButton.tsx'
import { Time } from '../../../components/Time.tsx'
import { useNow } from '../../../stores/clock.ts'
import { useAgent } from '../../../stores/ReplicaContext.tsx'
import { agentHash, navigate } from '../../../stores/route.ts'
import { OnTheHost } from '../drawer/OnTheHost.tsx'
import { tokenStanding, useJoinTokens } from '../joinTokens.ts'

interface ShownTokenProps {
  readonly newToken: NewJoinToken
  readonly onAnother: () => void
}

/** The secret, this once, and what comes of it. It lives in this component alone and is gone with it. */
export function ShownToken({ newToken, onAnother }: ShownTokenProps) {
  const { tokens } = useJoinTokens()
  const token = tokens?.find((each) => each.id === newToken.token.id) ?? newToken.token
  const now = useNow()
  const standing = tokenStanding(token, now)
  if (standing === 'used' && token.usedBy !== null) return <Enrolled agentId={token.usedBy} onAnother={onAnother} />
  if (standing !== 'open')
    return (
      <section className="flex flex-col gap-3" aria-label="The token is over">
        <p role="status">
          {standing === 'expired'
            ? 'The token ended before any host used it.'
            : 'The token was withdrawn before any host used it.'}{' '}
          Nothing was enrolled.
        </p>
        <div>
          <Button variant="primary" onClick={onAnother}>
            Create another token
          </Button>
        </div>
      </section>
    )
  return <Open newToken={newToken} token={token} />
}

function Open({ newToken, token }: { readonly newToken: NewJoinToken; readonly token: JoinToken }) {
  return (
    <section aria-labelledby="run-this" className="flex flex-col gap-3">
      <h3 id="run-this" className="font-semibold">
        Run this on the host
      </h3>
      <div className="flex items-start gap-1 rounded-md border border-accent bg-ground p-2">
        <code className="min-w-0 flex-1 text-12 break-all">{newToken.command}</code>
        <CopyButton text={newToken.command} what="command for the host" className="-my-1" />
      </div>
      <p className="text-pending">
        Shown only now: it holds the secret, and closing this forgets it. Whoever has it can enroll one host.
      </p>
      <p className="text-muted">
        It can be used once, until <Time at={token.expiresAt} absolute /> (<Time at={token.expiresAt} />
        ). The host needs lockstep-agent, OpenSSH and rsync.
      </p>
      <p className="text-muted">
        The list of processes never shows it. To keep it out of the shell's history too, run{' '}
        <code className="text-12 text-text">sudo lockstep-agent enroll --join-file -</code> and give it the token alone{' '}
        <CopyButton text={newToken.secret} what="token alone" className="-my-1 align-middle" />
      </p>
      <p role="status" className="flex items-center gap-2 rounded-md border p-3">
        <span aria-hidden className="relative block h-1 w-10 overflow-hidden rounded-full bg-line">
          <span className="absolute inset-y-0 left-0 w-2/5 animate-travel bg-busy" />
        </span>
        Waiting for the agent…
      </p>
    </section>
  )
}

function Enrolled({ agentId, onAnother }: { readonly agentId: AgentId; readonly onAnother: () => void }) {
  const agent = useAgent(agentId)
  return (
    <section className="flex flex-col gap-3" aria-label="Enrolled">
      <p role="status" className="rounded-md border border-in-step p-3 text-15 font-semibold">
        Enrolled: {agent?.name ?? 'an agent'}
      </p>
      {agent !== undefined && (
        <p className="text-muted">
          {agent.hostname}, {agent.platform}, lockstep-agent {agent.version}. The token is used up. Say there what to
          push, in <code className="text-12 text-text">/etc/lockstep/agent.yaml</code>, let it be checked, then start
          the service:
        </p>
      )}
      <div>
        <OnTheHost command="sudo lockstep-agent doctor" />
        <OnTheHost command="sudo systemctl enable --now lockstep-agent" />
      </div>
      <div className="flex gap-2">
        <Button variant="primary" onClick={() => navigate(agentHash(agentId))}>
          Show the agent
        </Button>
        <Button onClick={onAnother}>Add another</Button>
      </div>
    </section>
  )
}
