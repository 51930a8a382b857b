import { useState } from 'react'
import type { IssuedCertificate } from '../../../shared/model/certificate.ts'
import { Button } from '../../components/Button.tsx'
import { CopyButton } from '../../components/CopyButton.tsx'
import { Drawer } from '../../components/Drawer.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { Fact, Facts, LongText } from '../../components/Facts.tsx'
import { formatDuration } from '../../components/format.ts'
import { Time } from '../../components/Time.tsx'
import { useNow } from '../../stores/clock.ts'
import { useStale } from '../../stores/ReplicaContext.tsx'
import { nodeHash } from '../../stores/route.ts'
import { CertificateMark, purposeWords } from './CertificateMark.tsx'
import { standingOfCertificate } from './certificateFilter.ts'
import { useCertificate } from './logQueries.ts'
import { RevokeDialog } from './RevokeDialog.tsx'
import { trustCli } from './trustCommands.ts'

interface CertificateDrawerProps {
  /** Id, or the serial of a user certificate. */
  readonly reference: string
  readonly onClose: () => void
}

/** Every fact about one certificate. */
export function CertificateDrawer({ reference, onClose }: CertificateDrawerProps) {
  const { certificate, missing, error } = useCertificate(reference)
  return (
    <Drawer
      label={certificate === undefined ? 'Certificate' : `Certificate ${certificate.serial}`}
      paneName="certificate drawer"
      onClose={onClose}
      header={
        <h2 className="truncate text-18 font-semibold">
          {certificate === undefined ? 'Certificate' : `Certificate ${certificate.serial}`}
        </h2>
      }
      footer={certificate === undefined ? undefined : <Actions certificate={certificate} />}
    >
      {error !== null && (
        <div className="p-4">
          <ErrorNote error={error} />
        </div>
      )}
      {missing && (
        <p className="p-4 text-muted">
          There is no certificate {reference} in the issue log. It was signed before this console kept one, or by
          another.
        </p>
      )}
      {certificate !== undefined && <Body certificate={certificate} />}
    </Drawer>
  )
}

function Body({ certificate }: { readonly certificate: IssuedCertificate }) {
  const now = useNow(10_000)
  return (
    <div className="flex flex-col gap-4 p-4">
      <Standing certificate={certificate} />
      <Facts nameWidth="104px">
        <Fact name="Standing">
          <CertificateMark certificate={certificate} nowMs={now} />
        </Fact>
        <Fact name="Serial">
          <LongText text={certificate.serial} what="serial" />
        </Fact>
        <Fact name="Key id">
          <LongText text={certificate.keyId} what="key id" />
        </Fact>
        <Fact name="For">
          {purposeWords[certificate.purpose]}
          {certificate.nodeId !== null && (
            <>
              {' '}
              on{' '}
              <a className="text-accent underline" href={nodeHash(certificate.nodeId)}>
                {certificate.nodeName}
              </a>
            </>
          )}
        </Fact>
        <Fact name="Principals">{certificate.principals.join(', ')}</Fact>
        <Fact name="Asked by">{certificate.requestedBy}</Fact>
        <Fact name="Why">{certificate.reason}</Fact>
        <Fact name="Issued">
          <Time at={certificate.issuedAt} absolute />
        </Fact>
        <Fact name="Valid from">
          <Time at={certificate.validAfter} absolute />
        </Fact>
        <Fact name="Ends">
          <Time at={certificate.validBefore} absolute /> (a life of{' '}
          {formatDuration(certificate.validBefore - certificate.validAfter)})
        </Fact>
        <Fact name="Extensions">
          {certificate.extensions.length === 0 ? 'none' : certificate.extensions.join(', ')}
        </Fact>
        <Fact name="Restricted">
          {Object.keys(certificate.criticalOptions).length === 0
            ? 'not further'
            : Object.entries(certificate.criticalOptions).map(([name, value]) => (
                <span key={name} className="block">
                  {name} <code className="text-12 break-all">{value}</code>
                </span>
              ))}
        </Fact>
        <Fact name="Signed by">
          {certificate.issuer === 'step-ca' ? 'step-ca' : 'the embedded authority'}
          <LongText text={certificate.authorityFingerprint} what="authority fingerprint" />
        </Fact>
        <Fact name="Subject key">
          <LongText text={certificate.subjectFingerprint} what="subject fingerprint" />
        </Fact>
      </Facts>
      <section aria-label="Certificate line" className="flex flex-col gap-1.5">
        <h3 className="text-12 font-semibold text-faint">The certificate, public</h3>
        <div className="flex items-start gap-1 rounded-md border bg-ground p-2">
          <code className="max-h-32 min-w-0 flex-1 overflow-auto text-12 break-all text-muted">
            {certificate.certificate}
          </code>
          <CopyButton text={certificate.certificate} what="certificate line" />
        </div>
        <p className="text-12 text-faint">
          <code>ssh-keygen -L -f -</code> reads it from standard input.
        </p>
      </section>
    </div>
  )
}

function Standing({ certificate }: { readonly certificate: IssuedCertificate }) {
  const { revocation } = certificate
  if (revocation === null) return null
  return (
    <p className="rounded-md border border-error px-3 py-2">
      Revoked by {revocation.revokedBy} <Time at={revocation.revokedAt} />: {revocation.reason}
    </p>
  )
}

function Actions({ certificate }: { readonly certificate: IssuedCertificate }) {
  const now = useNow(10_000)
  const stale = useStale()
  const [deciding, setDeciding] = useState(false)
  const standing = standingOfCertificate(certificate, now)
  return (
    <div className="flex items-center gap-3 p-3">
      <Button disabled={stale || standing !== 'live'} onClick={() => setDeciding(true)}>
        Revoke…
      </Button>
      {standing !== 'live' && (
        <span className="text-12 text-muted">
          {standing === 'revoked' ? 'It is revoked already.' : 'It is over: nothing accepts it any more.'}
        </span>
      )}
      {deciding && (
        <RevokeDialog
          targets={{ kind: 'certificates', ids: [certificate.id] }}
          commandFor={(reason) => trustCli.revoke([certificate.serial], reason)}
          onClose={() => setDeciding(false)}
          onRevoked={() => setDeciding(false)}
        />
      )}
    </div>
  )
}
