import { countKeySharers } from '../../../../core/fleet/health.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { LongText } from '../../../components/Facts.tsx'
import { formatCount } from '../../../components/format.ts'
import { StaticKeyMark } from '../../../components/StatusMark.tsx'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import { formatHash } from '../../../stores/route.ts'
import { cli } from '../cliCommands.ts'
import { Section } from './Section.tsx'

/** In the place of the certificate: which key, who shares it, and the way to certificates (D9). */
export function StaticKeySection({ node, keyFile }: { readonly node: FleetNode; readonly keyFile: string }) {
  const sharers = useReplica((state) => countKeySharers(state.nodes.values(), keyFile))
  return (
    <Section
      title="Certificate"
      aside={
        <span className="text-pending">
          <StaticKeyMark withWord />
        </span>
      }
    >
      <p>
        {sharers > 1 ? (
          <>
            Logs in with a static key shared by{' '}
            <a
              className="text-accent underline"
              href={formatHash({ view: 'fleet', query: { filter: `login:"${keyFile}"` } })}
            >
              {formatCount(sharers)} nodes
            </a>
            : whoever has it gets into all of them.
          </>
        ) : (
          'Logs in with a static key of its own.'
        )}{' '}
        <span className="text-muted">It does not end, and revoking certificates does not stop it.</span>
      </p>
      <div className="flex min-w-0 items-center gap-1 text-muted">
        <span className="shrink-0">Key file:</span>
        <LongText text={keyFile} what="key file" />
      </div>
      <p className="mt-2 text-muted">
        Move to certificates: let the node trust our user authority (a trust plan, or what the first command prints, as
        TrustedUserCAKeys), then switch its login.
      </p>
      <div className="mt-1.5 flex flex-col gap-1.5">
        <CliEquivalent command={cli.exportUserAuthority} />
        <CliEquivalent command={cli.toCertificate(node.name)} />
      </div>
    </Section>
  )
}

/** All nodes with static keys, as the filter language says it. */
export const staticKeyFilter = 'login:static-key'
