import { Dialog } from '@base-ui/react/dialog'
import { type FormEvent, useEffect, useState } from 'react'
import { ControlPlane } from '../../../shared/controlPlane.ts'
import { useLink } from '../../api/LinkContext.tsx'
import type { DesktopCalls } from '../../api/link.ts'
import { useEngineReport } from '../../api/useEngineReport.ts'
import { Button } from '../../components/Button.tsx'
import { Field } from '../../components/Field.tsx'
import { useOverlay } from '../../stores/overlays.ts'
import { useShortcuts } from '../../stores/shortcuts.ts'

/** The desktop app only: shows another machine's control plane in this window, over the operator's own ssh. */
export function ConnectDialog() {
  const { desktop } = useLink().shell
  const [open, setOpen] = useOverlay('connect')
  if (desktop === undefined) return null
  return (
    <>
      <ConnectAction open={() => setOpen(true)} />
      <Dialog.Root open={open} onOpenChange={setOpen}>
        <Dialog.Portal>
          <Dialog.Backdrop className="fixed inset-0 z-40 bg-ground opacity-70" />
          <Dialog.Popup className="fixed top-1/2 left-1/2 z-50 flex w-[520px] max-w-[92vw] -translate-x-1/2 -translate-y-1/2 flex-col gap-4 rounded-md border border-line-strong bg-raised p-5 shadow-float">
            <Dialog.Title className="text-15 font-semibold">Connect to a control plane</Dialog.Title>
            <Dialog.Description className="text-muted">
              With your own ssh: your keys, your configuration, the host keys you trust. Nothing listens on the network.
            </Dialog.Description>
            <ConnectForm desktop={desktop} done={() => setOpen(false)} />
          </Dialog.Popup>
        </Dialog.Portal>
      </Dialog.Root>
    </>
  )
}

/** Makes it an action of the palette. */
function ConnectAction({ open }: { readonly open: () => void }) {
  useShortcuts([{ keys: '', label: 'Connect to a control plane', group: 'Window', run: open }])
  return null
}

interface ConnectFormProps {
  readonly desktop: DesktopCalls
  readonly done: () => void
}

function ConnectForm({ desktop, done }: ConnectFormProps) {
  const report = useEngineReport()
  const recent = useRecent(desktop)
  const [name, setName] = useState(report?.remote?.name ?? '')
  const [home, setHome] = useState(report?.remote?.home ?? '')
  const [problem, setProblem] = useState<string | null>(null)
  const connect = (controlPlane: ControlPlane | null): void => {
    desktop.connectTo(controlPlane).then(done, (error: Error) => setProblem(error.message))
  }
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    const read = ControlPlane.safeParse({ name: name.trim(), home: home.trim() === '' ? null : home.trim() })
    if (read.success) connect(read.data)
    else setProblem(read.error.issues[0]?.message ?? null)
  }
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <Field
        label="Host"
        placeholder="user@control"
        autoComplete="off"
        spellCheck={false}
        value={name}
        onChange={(event) => setName(event.target.value)}
        problem={problem}
        hint="user@host, user@host:port, or an alias of your ssh configuration"
      />
      <Field
        label="Directory there"
        placeholder="the usual places"
        autoComplete="off"
        spellCheck={false}
        value={home}
        onChange={(event) => setHome(event.target.value)}
      />
      <RecentList recent={recent} choose={connect} />
      <div className="flex justify-end gap-2">
        {report?.remote != null && <Button onClick={() => connect(null)}>Back to this machine</Button>}
        <Button type="submit" variant="primary" disabled={name.trim() === ''}>
          Connect
        </Button>
      </div>
    </form>
  )
}

function useRecent(desktop: DesktopCalls): readonly ControlPlane[] {
  const [recent, setRecent] = useState<readonly ControlPlane[]>([])
  useEffect(() => {
    let isCurrent = true
    desktop.recentControlPlanes().then(
      (found) => isCurrent && setRecent(found),
      () => undefined,
    )
    return () => {
      isCurrent = false
    }
  }, [desktop])
  return recent
}

interface RecentListProps {
  readonly recent: readonly ControlPlane[]
  readonly choose: (controlPlane: ControlPlane) => void
}

function RecentList({ recent, choose }: RecentListProps) {
  if (recent.length === 0) return null
  return (
    <section aria-label="Recent" className="flex flex-col gap-1">
      <h3 className="text-12 text-faint">Recent</h3>
      <ul>
        {recent.map((each) => (
          <li key={`${each.name} ${each.home}`}>
            <button
              type="button"
              onClick={() => choose(each)}
              className="flex w-full items-baseline gap-2 rounded-md px-2 py-1 text-left hover:bg-hover"
            >
              {each.name} <span className="text-12 text-muted">{each.home}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  )
}
