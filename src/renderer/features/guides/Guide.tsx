import { useEffect, useRef } from 'react'
import type { GuideFix, GuideName, GuideReport, OfferedFix } from '../../../shared/model/guide.ts'
import type { NodeId } from '../../../shared/model/ids.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { useCall } from '../../api/useCall.ts'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent, shellQuote } from '../../components/CliEquivalent.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { useStale } from '../../stores/ReplicaContext.tsx'
import { formatHash, navigate } from '../../stores/route.ts'
import { requestTerminal } from '../../stores/terminalRequests.ts'
import { GuideReportView, isDoneByEngine } from './GuideReportView.tsx'

interface GuideProps {
  readonly guide: GuideName
  /** What a person says when they come with this trouble. */
  readonly label: string
  readonly node?: { readonly id: NodeId; readonly name: string }
  /** Decisions that are made where the guide stands. */
  readonly onDecide?: (where: Extract<GuideFix, { kind: 'decide' }>['where']) => void
  /** Looks as soon as it is shown: asking for it was the press. */
  readonly atOnce?: boolean
  /** What the button leads to lies elsewhere in the console. */
  readonly onLeave?: () => void
}

/** One trouble, gone through at a press (S1.105-107). Looks only; the button below it is what changes something. */
export function Guide({ guide, label, node, onDecide, atOnce = false, onLeave }: GuideProps) {
  const { client } = useLink()
  const stale = useStale()
  const place = useRef<HTMLDivElement>(null)
  const looking = useCall<GuideReport>()
  const fixing = useCall<{ readonly done: string }>()
  const look = async (): Promise<void> => {
    fixing.reset()
    await looking.run(() => client.guides.examine({ guide, ...(node === undefined ? {} : { node: node.id }) }))
  }
  // Once the answer is drawn: it is longer than the button that asked for it, and a drawer may end right below.
  useEffect(() => {
    if (looking.answer !== null) place.current?.scrollIntoView?.({ block: 'start' })
  }, [looking.answer])
  const began = useRef(false)
  useEffect(() => {
    if (!atOnce || began.current) return
    began.current = true
    void look()
  })
  const fix = async (wanted: GuideFix): Promise<void> => {
    await fixing.run(() => client.guides.fix({ fix: wanted }))
  }
  return (
    <div ref={place} className="flex flex-col gap-2">
      <div>
        <Button size="small" busy={looking.busy} disabled={stale} onClick={() => void look()}>
          {looking.answer === null ? label : 'Look again'}
        </Button>
      </div>
      {looking.busy && <p className="text-muted">Going through it, changing nothing…</p>}
      {looking.error !== null && <ErrorNote error={looking.error} />}
      {looking.answer !== null && (
        <GuideReportView
          report={looking.answer}
          renderOffer={(offer) => (
            <Offer
              offer={offer}
              busy={fixing.busy}
              onFix={(wanted) => void fix(wanted)}
              onDecide={onDecide}
              onLeave={onLeave}
            />
          )}
        />
      )}
      {fixing.error !== null && <ErrorNote error={fixing.error} />}
      {fixing.answer !== null && <p role="status">{fixing.answer.done}</p>}
      {looking.answer !== null && (
        <CliEquivalent command={`lockstep diagnose ${guide}${node === undefined ? '' : ` ${shellQuote(node.name)}`}`} />
      )}
    </div>
  )
}

interface OfferProps {
  readonly offer: OfferedFix
  readonly busy: boolean
  readonly onFix: (fix: GuideFix) => void
  readonly onDecide: GuideProps['onDecide']
  readonly onLeave: GuideProps['onLeave']
}

function Offer({ offer, busy, onFix, onDecide, onLeave }: OfferProps) {
  const stale = useStale()
  const { fix, label } = offer
  if (fix.kind === 'by-hand' && fix.nodeId === null) return <CliEquivalent command={fix.command} />
  const press = (): void => {
    if (isDoneByEngine(fix)) {
      onFix(fix)
      return
    }
    onLeave?.()
    if (fix.kind === 'by-hand' && fix.nodeId !== null) requestTerminal({ nodeId: fix.nodeId })
    else if (fix.kind === 'decide') decide(fix, onDecide)
  }
  return (
    <div className="flex flex-col gap-2">
      {fix.kind === 'by-hand' && fix.command !== '' && <CliEquivalent command={fix.command} />}
      <div>
        <Button size="small" variant="primary" busy={busy} disabled={stale} onClick={press}>
          {label}
        </Button>
      </div>
    </div>
  )
}

/** Where a person decides. What the surroundings can open themselves, they open. */
function decide({ where, nodeId }: Extract<GuideFix, { kind: 'decide' }>, onDecide: GuideProps['onDecide']): void {
  if (onDecide !== undefined && (where === 'host-key' || where === 'node')) {
    onDecide(where)
    return
  }
  const places = {
    'host-key': formatHash({ view: 'fleet', query: nodeId === null ? {} : { node: nodeId } }),
    node: formatHash({ view: 'fleet', query: nodeId === null ? {} : { node: nodeId } }),
    plan: formatHash({ view: 'plans' }),
    run: formatHash({ view: 'runs', query: { status: 'halted' } }),
    vault: formatHash({ view: 'settings' }),
    registry: formatHash({ view: 'registry' }),
  } as const
  navigate(places[where])
}
