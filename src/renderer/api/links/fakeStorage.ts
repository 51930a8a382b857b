import type { FleetNode } from '../../../shared/model/node.ts'
import type { StoragePreview, StorageSettings } from '../../../shared/model/storage.ts'
import { fakeDiagnosis, fakeDigest } from './fakeFleet.ts'

const sshdDiff = (user: string, hasSecond: boolean): string =>
  [
    '--- /etc/ssh/sshd_config',
    '+++ /etc/ssh/sshd_config',
    '@@ -1,7 +1,14 @@',
    ' Include /etc/ssh/sshd_config.d/*.conf',
    ' Port 22',
    '-#PubkeyAuthentication yes',
    '+PubkeyAuthentication yes',
    '+TrustedUserCAKeys /etc/ssh/ca/trusted_user_ca.pub',
    ...(hasSecond
      ? ['+# the line below also trusts the break-glass authority', '+# (second line of the same file)']
      : []),
    '-AuthorizedKeysFile .ssh/authorized_keys',
    '+AuthorizedKeysFile none',
    '-PasswordAuthentication yes',
    '+PasswordAuthentication no',
    '+AuthorizedPrincipalsFile /etc/ssh/principals/%u',
    ' UsePAM yes',
    ` # login user of the console: ${user}`,
  ].join('\n')

const newFile = (path: string, lines: readonly string[]): string =>
  ['--- /dev/null', `+++ ${path}`, `@@ -0,0 +1,${lines.length} @@`, ...lines.map((line) => `+${line}`)].join('\n')

/** What would change on an invented node; a node without a pinned host key cannot be changed. */
export function fakeStoragePreview(node: FleetNode, settings: StorageSettings): StoragePreview {
  const { user, principals, breakGlass } = settings
  const second = breakGlass.kind === 'second-authority' ? [breakGlass.publicKey] : []
  const principalsFile = `/etc/ssh/principals/${user}`
  return {
    digest: fakeDigest(
      [...`${node.id}${JSON.stringify(settings)}`].reduce(
        (sum, char) => (sum * 31 + char.charCodeAt(0)) % 1_000_003,
        7,
      ),
    ),
    changes: [
      { path: '/etc/ssh/sshd_config', diff: sshdDiff(user, second.length > 0), isNew: false },
      {
        path: '/etc/ssh/ca/trusted_user_ca.pub',
        diff: newFile('/etc/ssh/ca/trusted_user_ca.pub', ['ssh-ed25519 AAAAC3Nza lockstep-user-ca', ...second]),
        isNew: true,
      },
      { path: principalsFile, diff: newFile(principalsFile, principals), isNew: true },
    ],
    commands: ['sshd -t -f /etc/ssh/sshd_config', 'systemctl reload ssh'],
    warnings: [
      'From then on only certificates log in to this node. When every certificate has expired and none can be signed, nobody gets in over SSH: the break-glass way is the only one left.',
    ],
    blockers:
      node.hostKeys.length > 0
        ? []
        : [
            fakeDiagnosis(
              'HOST_KEY_UNKNOWN',
              `No host key of ${node.name} is trusted yet, so nothing is sent to it. Compare and accept its key first.`,
              'host key not trusted',
              [],
              ['accept-host-key', 'Compare the keys'],
            ),
          ],
    alreadyApplied: node.storage !== null && JSON.stringify(node.storage.settings) === JSON.stringify(settings),
  }
}
