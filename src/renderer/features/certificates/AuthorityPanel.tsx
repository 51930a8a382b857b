import { useQuery } from '@tanstack/react-query'
import { Download } from 'lucide-react'
import type { Authority } from '../../../shared/model/certificate.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { CopyButton } from '../../components/CopyButton.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { saveBlob } from '../../components/saveBlob.ts'
import { Time } from '../../components/Time.tsx'

export function useAuthorities() {
  const { client } = useLink()
  return useQuery({ queryKey: ['authorities'], queryFn: () => client.certificates.authorities() })
}

/** Who signs, how its key is kept, and what a node needs in order to trust it. */
export function AuthorityPanel() {
  const query = useAuthorities()
  if (query.error !== null) {
    return (
      <div className="p-4">
        <ErrorNote error={toErrorBody(query.error)} onRetry={() => void query.refetch()} />
      </div>
    )
  }
  return (
    <div className="flex flex-col gap-6 p-4">
      {(query.data ?? []).map((authority) => (
        <AuthorityCard key={authority.fingerprint} authority={authority} />
      ))}
    </div>
  )
}

function AuthorityCard({ authority }: { readonly authority: Authority }) {
  const save = (): void =>
    saveBlob(new Blob([`${authority.publicKey}\n`], { type: 'text/plain' }), 'trusted_user_ca.pub')
  return (
    <section aria-label="SSH user authority" className="flex max-w-3xl flex-col gap-4">
      <h2 className="text-15 font-semibold">SSH user authority</h2>
      <dl className="grid grid-cols-[120px_1fr] items-center gap-x-3 gap-y-1">
        <dt className="text-faint">Fingerprint</dt>
        <dd className="flex items-center gap-1">
          <code>{authority.fingerprint}</code>
          <CopyButton text={authority.fingerprint} what="fingerprint" />
        </dd>
        <dt className="text-faint">Key sealed by</dt>
        <dd>{authority.sealedBy}</dd>
        <dt className="text-faint">Made</dt>
        <dd>
          <Time at={authority.createdAt} />
        </dd>
      </dl>
      <div className="flex flex-col gap-2">
        <h3 className="font-semibold">What a node needs in order to trust it</h3>
        <p className="text-muted">
          The line below in a file on the node, and <code>TrustedUserCAKeys /etc/ssh/trusted_user_ca.pub</code> in its
          sshd_config. It is a public key: it may be shown to anybody.
        </p>
        <div className="flex items-start gap-1 rounded-md border bg-surface p-2">
          <code className="min-w-0 flex-1 text-12 break-all">{authority.publicKey}</code>
          <CopyButton text={authority.publicKey} what="public key" />
        </div>
        <div>
          <Button icon={<Download aria-hidden className="size-4" />} onClick={save}>
            Save trusted_user_ca.pub
          </Button>
        </div>
        <CliEquivalent command="lockstep ca export" />
      </div>
    </section>
  )
}
