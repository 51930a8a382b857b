import { useId } from 'react'
import { Choice } from '../../../components/Choice.tsx'
import { Field } from '../../../components/Field.tsx'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import { checkoutWords } from '../repositoryWords.ts'
import { Check, Group } from './formParts.tsx'
import type { FormField, FormProblems, RepositoryFormValues } from './formValues.ts'

interface RepositoryFormProps {
  readonly values: RepositoryFormValues
  /** Only those that may be said by now. */
  readonly problems: FormProblems
  readonly token: string
  readonly hasToken: boolean
  readonly onChange: (change: Partial<RepositoryFormValues>) => void
  readonly onToken: (token: string) => void
  readonly onLeave: (field: FormField) => void
}

const loginWords = [
  ['none', 'not at all: a public remote, or a file on this machine'],
  ['key', 'with an SSH key in a file'],
  ['certificate', 'with a short-lived certificate of the user authority'],
  ['token', 'with a personal access token, over https'],
] as const

/** The fields of a repository. Stands alone: who shows it says what is done with them. */
export function RepositoryForm(props: RepositoryFormProps) {
  const { values, problems, onChange, onLeave } = props
  const text = (name: Exclude<FormField, 'token'>) => ({
    value: String(values[name]),
    spellCheck: false,
    autoComplete: 'off',
    problem: problems[name] ?? null,
    onBlur: () => onLeave(name),
    onChange: (event: { readonly target: { readonly value: string } }) => onChange({ [name]: event.target.value }),
  })
  return (
    <div className="flex flex-col gap-4">
      <div className="grid grid-cols-[minmax(0,1fr)_minmax(0,1fr)] gap-3">
        <Field label="Name" hint="What plans call it." {...text('name')} />
        <Field label="Default branch" hint="Used where nobody names another." {...text('defaultBranch')} />
      </div>
      <Group title="Where it is">
        <Field
          label="Remote"
          placeholder="https://git.example.com/team/site.git"
          hint={
            values.place === 'none'
              ? 'https://host/path, ssh://user@host/path, user@host:path or file:///path. Never with a password in it.'
              : "Empty: the checkout's own origin. Never with a password in it."
          }
          {...text('remote')}
        />
        <Choice
          label="Working copy"
          value={values.place}
          options={(['none', 'here', 'node'] as const).map((each) => [each, checkoutWords[each]])}
          hint="Commits are pulled there with git pull --ff-only. What is delivered is never the working copy itself."
          onChange={(place) => onChange({ place })}
        />
        {values.place === 'node' && <NodeField {...text('node')} />}
        {values.place !== 'none' && (
          <Field
            label="Directory"
            placeholder={values.place === 'here' ? '/srv/site' : '~/site'}
            hint="Cloned there when it is missing."
            {...text('directory')}
          />
        )}
      </Group>
      <Group title="How git logs in">
        <Choice
          label="Login"
          value={values.login}
          options={loginWords}
          problem={problems.login ?? null}
          onChange={(login) => onChange({ login })}
        />
        {values.login === 'key' && (
          <Field
            label="Key file"
            placeholder="/home/ops/.ssh/id_ed25519_deploy"
            hint="On the machine of the engine."
            {...text('keyFile')}
          />
        )}
        {values.login === 'token' && <TokenFields {...props} user={text('tokenUser')} />}
        {(values.login === 'key' || values.login === 'certificate') && <HostKeys {...props} />}
      </Group>
      <Group title="Search for secrets">
        <Check
          checked={values.scanEnabled}
          hint="Before anything is sent: the whole tree once, then what changed."
          onChange={(scanEnabled) => onChange({ scanEnabled })}
        >
          Search every commit before it is sent
        </Check>
        {values.scanEnabled ? (
          <>
            <Choice
              label="With"
              value={values.scanTool}
              options={[
                ['builtin', 'the search that is built in'],
                ['gitleaks', 'gitleaks, which has to be in PATH'],
                ['both', 'both: whatever either of them finds'],
              ]}
              onChange={(scanTool) => onChange({ scanTool })}
            />
            {values.scanTool !== 'builtin' && (
              <Field label="Configuration of gitleaks" hint="Empty: its own." {...text('scanConfig')} />
            )}
            <Check
              checked={values.blocks}
              hint="Off: findings are shown, and the tree is sent all the same."
              onChange={(blocks) => onChange({ blocks })}
            >
              Hold syncs back while a finding is open
            </Check>
          </>
        ) : (
          <p className="text-12 text-pending">A secret that somebody commits reaches every node.</p>
        )}
      </Group>
      <Group title="How it is fetched">
        <div className="grid grid-cols-2 items-start gap-3">
          <Check checked={values.polled} onChange={(polled) => onChange({ polled })}>
            Ask the remote by itself
          </Check>
          {values.polled && <Field label="Every so many seconds" inputMode="numeric" {...text('pollSeconds')} />}
        </div>
        <div className="grid grid-cols-2 items-start gap-3">
          <Choice
            label="Files of Git LFS"
            value={values.largeFiles}
            options={[
              ['refuse', 'refused: nothing is delivered'],
              ['fetch', 'their content is fetched (git-lfs)'],
              ['pointers', 'delivered as pointers'],
            ]}
            onChange={(largeFiles) => onChange({ largeFiles })}
          />
          <Field label="Depth" inputMode="numeric" hint="So many commits; empty: all." {...text('depth')} />
        </div>
        <Check checked={values.submodules} onChange={(submodules) => onChange({ submodules })}>
          Deliver submodules with it
        </Check>
      </Group>
    </div>
  )
}

type TextProps = Omit<React.ComponentProps<typeof Field>, 'label'>

function NodeField(props: TextProps) {
  const nodes = useReplica((state) => state.nodes)
  const listId = useId()
  return (
    <>
      <Field label="Node" hint="Its name; git has to be there." list={listId} {...props} />
      <datalist id={listId}>
        {[...nodes.values()].slice(0, 200).map(({ id, name }) => (
          <option key={id} value={name} />
        ))}
      </datalist>
    </>
  )
}

/** Write-only: what lies in the vault is never shown again. */
function TokenFields({
  token,
  hasToken,
  problems,
  onToken,
  onLeave,
  user,
}: RepositoryFormProps & { readonly user: TextProps }) {
  return (
    <div className="grid grid-cols-[minmax(0,2fr)_minmax(0,1fr)] gap-3">
      <Field
        label="Token"
        type="password"
        autoComplete="new-password"
        placeholder={hasToken ? 'one lies in the vault' : ''}
        hint={
          hasToken
            ? 'Empty: the one in the vault stays. It is never shown.'
            : 'Sealed by the key vault at once, and never shown again.'
        }
        problem={problems.token ?? null}
        value={token}
        onBlur={() => onLeave('token')}
        onChange={(event) => onToken(event.target.value)}
      />
      <Field label="User name" hint="Most forges take any." {...user} />
    </div>
  )
}

function HostKeys({ values, problems, onChange, onLeave }: RepositoryFormProps) {
  const id = useId()
  const problem = problems.hostKeys
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-12 text-muted">
        Host keys of the git server
      </label>
      <textarea
        id={id}
        rows={3}
        spellCheck={false}
        value={values.hostKeys}
        placeholder="ssh-ed25519 AAAA…"
        aria-invalid={problem !== undefined || undefined}
        aria-describedby={`${id}-note`}
        onBlur={() => onLeave('hostKeys')}
        onChange={(event) => onChange({ hostKeys: event.target.value })}
        className={`rounded-md border bg-ground px-2 py-1 font-mono text-12 placeholder:text-faint ${problem === undefined ? 'border-line-strong' : 'border-error'}`}
      />
      <p id={`${id}-note`} className={`text-12 ${problem === undefined ? 'text-faint' : 'text-error'}`}>
        {problem ??
          'One a line, as the forge publishes them or as ssh-keyscan prints them. Empty: those in ~/.ssh/known_hosts. An unknown server is refused.'}
      </p>
    </div>
  )
}
