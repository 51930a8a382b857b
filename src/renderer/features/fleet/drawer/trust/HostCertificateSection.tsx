import type { Authority } from '../../../../../shared/model/certificate.ts'
import type { FleetNode, NodeHostCertificate } from '../../../../../shared/model/node.ts'
import { classNames } from '../../../../components/classNames.ts'
import { LongText } from '../../../../components/Facts.tsx'
import { coarse } from '../../../../components/format.ts'
import { Time } from '../../../../components/Time.tsx'
import { useNow } from '../../../../stores/clock.ts'
import { formatHash } from '../../../../stores/route.ts'
import { useAuthorities } from '../../../certificates/trustQueries.ts'
import { Section } from '../Section.tsx'
import { DeliverPlan, usePlanOfKind } from './DeliverPlan.tsx'

/** What the node proves itself with to clients that trust the host authority. */
export function HostCertificateSection({ node }: { readonly node: FleetNode }) {
  const now = useNow()
  const plan = usePlanOfKind(node, 'host-certificate')
  const { hostCertificate } = node
  return (
    <Section title="Host certificate" aside={<Left certificate={hostCertificate} nowMs={now} />}>
      {hostCertificate === null ? (
        <p className="text-muted">
          None was seen: clients know this node by its host key alone.{' '}
          {plan === null ? (
            <a
              className="text-accent underline"
              href={formatHash({ view: 'plans', path: ['new'], query: { kind: 'host-certificate' } })}
            >
              Write a plan that brings one
            </a>
          ) : (
            `The plan ${plan.name} brings one with its next run.`
          )}
        </p>
      ) : (
        <Offered certificate={hostCertificate} nowMs={now} />
      )}
      {plan !== null && (
        <DeliverPlan node={node} plan={plan} label={hostCertificate === null ? 'Issue it now' : 'Renew'} />
      )}
    </Section>
  )
}

function Left({ certificate, nowMs }: { readonly certificate: NodeHostCertificate | null; readonly nowMs: number }) {
  if (certificate === null) return <span className="text-muted">none</span>
  const leftMs = certificate.validBefore - nowMs
  return leftMs <= 0 ? (
    <span className="text-error">expired</span>
  ) : (
    <span className="text-muted">{coarse(leftMs)} left</span>
  )
}

function Offered({ certificate, nowMs }: { readonly certificate: NodeHostCertificate; readonly nowMs: number }) {
  const authorities = useAuthorities()
  const lifeMs = Math.max(1, certificate.validBefore - certificate.validAfter)
  const share = Math.max(0, Math.min(1, (certificate.validBefore - nowMs) / lifeMs))
  return (
    <>
      <div className="h-1 rounded-full bg-line">
        <div
          className={classNames(
            'h-1 rounded-full',
            share === 0 ? 'bg-error' : share < 1 / 6 ? 'bg-pending' : 'bg-faint',
          )}
          style={{ width: `${share * 100}%` }}
        />
      </div>
      <p className="mt-1.5 text-muted">
        Offered serial {certificate.serial}, valid until <Time at={certificate.validBefore} absolute />, seen{' '}
        <Time at={certificate.verifiedAt} />.
      </p>
      <div className="flex min-w-0 items-center gap-1 text-muted">
        <span className="shrink-0">Signed by {signerOf(certificate.authorityFingerprint, authorities.data)}:</span>
        <LongText text={certificate.authorityFingerprint} what="authority fingerprint" />
      </div>
    </>
  )
}

function signerOf(fingerprint: string, authorities: readonly Authority[] | undefined): string {
  if (authorities === undefined) return 'the authority'
  const host = authorities.find(({ kind }) => kind === 'ssh-host')
  if (host?.fingerprint === fingerprint) return 'our host authority'
  const { rotation } = host ?? { rotation: null }
  if (rotation?.oldFingerprint === fingerprint) return 'our host authority before the rotation'
  return rotation?.newFingerprint === fingerprint ? 'our next host authority' : 'an authority that is not ours'
}
