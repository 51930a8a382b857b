import { useState } from 'react'
import { webhookExample, webhookSecretFile } from '../../../../core/registry/webhookExample.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { CopyButton } from '../../../components/CopyButton.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { useWebhook } from '../registryQueries.ts'

/** Whoever knows the secret may say that a source has changed. The secret is shown once and kept nowhere on this page. */
export function Webhook() {
  const { client } = useLink()
  const stale = useStale()
  const webhook = useWebhook()
  const enable = useCall<{ readonly path: string; readonly secret: string }>()
  const disable = useCall<unknown>()
  const [deciding, setDeciding] = useState<'off' | 'again' | null>(null)
  const known = webhook.data
  const turnOff = async (): Promise<void> => {
    if ((await disable.run(() => client.sources.disableWebhook())) === null) return
    enable.reset()
    setDeciding(null)
  }
  const turnOn = async (): Promise<void> => {
    await enable.run(() => client.sources.enableWebhook())
    setDeciding(null)
  }
  return (
    <section className="flex flex-col gap-3">
      <h2 className="font-semibold">Webhook</h2>
      <p className="text-muted">
        A repository or a cluster can say that a source has changed, so that it is looked at within a moment. What has
        changed is read from the source, never taken from the call.
      </p>
      {webhook.error !== null && (
        <ErrorNote error={toErrorBody(webhook.error)} onRetry={() => void webhook.refetch()} />
      )}
      {known !== undefined && !known.enabled && (
        <Button disabled={stale} busy={enable.busy} onClick={() => void turnOn()}>
          Switch it on
        </Button>
      )}
      {enable.error !== null && <ErrorNote error={enable.error} />}
      {enable.answer !== null && <Secret secret={enable.answer.secret} />}
      {known?.enabled === true && (
        <>
          <p>
            On, at <code className="text-12">{known.path}</code> of this console.
          </p>
          <Example path={known.path} />
          <div className="flex gap-2">
            <Button size="small" disabled={stale} onClick={() => setDeciding('again')}>
              New secret…
            </Button>
            <Button size="small" disabled={stale} onClick={() => setDeciding('off')}>
              Switch it off…
            </Button>
          </div>
        </>
      )}
      {deciding !== null && (
        <DecisionDialog
          open
          danger
          onClose={() => setDeciding(null)}
          title={deciding === 'off' ? 'Switch the webhook off?' : 'Make a new secret?'}
          blastRadius="whoever calls the webhook now"
          effect={
            deciding === 'off'
              ? 'Calls are refused. Sources are still followed, and looked at every few seconds.'
              : 'Calls with the old secret are refused from this moment.'
          }
          undo="A new secret has to be made and given to every caller: the old one does not come back."
          confirmLabel={deciding === 'off' ? 'Switch it off' : 'Make a new secret'}
          busy={disable.busy || enable.busy}
          error={disable.error}
          onConfirm={() => void (deciding === 'off' ? turnOff() : turnOn())}
        />
      )}
    </section>
  )
}

function Secret({ secret }: { readonly secret: string }) {
  return (
    <div role="status" className="flex flex-col gap-1 rounded-md border border-pending bg-raised p-2">
      <p className="text-12">The secret. It is shown this once: copy it now.</p>
      <p className="flex min-w-0 items-center gap-1">
        <code className="min-w-0 flex-1 text-12 break-all">{secret}</code>
        <CopyButton text={secret} what="secret" />
      </p>
    </div>
  )
}

function Example({ path }: { readonly path: string }) {
  const origin = location.protocol.startsWith('http') ? location.origin : 'http://127.0.0.1:7420'
  const text = webhookExample(`${origin}${path}`)
  return (
    <div className="flex flex-col gap-1">
      <p className="flex items-center justify-between text-12 text-faint">
        A call, with the secret in the file {webhookSecretFile}
        <CopyButton text={text} what="example" />
      </p>
      <pre
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable with the keyboard
        tabIndex={0}
        className="overflow-auto rounded-md border bg-ground p-2 text-12"
      >
        {text}
      </pre>
    </div>
  )
}
