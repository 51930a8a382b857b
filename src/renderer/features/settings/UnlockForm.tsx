import { type FormEvent, useState } from 'react'
import type { ErrorBody } from '../../../shared/errors.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { Button } from '../../components/Button.tsx'
import { Field } from '../../components/Field.tsx'
import { useReplica, useReplicaHandle } from '../../stores/ReplicaContext.tsx'

/** Opens the key vault. The passphrase leaves this form only for the engine, and is forgotten after every try. */
export function UnlockForm() {
  const { client } = useLink()
  const replica = useReplicaHandle()
  const isNew = useReplica((state) => state.engine?.vault.isNew === true)
  const [passphrase, setPassphrase] = useState('')
  const [repeated, setRepeated] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<ErrorBody | null>(null)
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    try {
      replica.setEngine(await client.system.unlock({ passphrase }))
      setError(null)
    } catch (thrown) {
      setError(toErrorBody(thrown))
    } finally {
      setPassphrase('')
      setRepeated('')
      setBusy(false)
    }
  }
  const differ = isNew && repeated !== '' && repeated !== passphrase
  return (
    <form onSubmit={(event) => void submit(event)} className="flex flex-wrap items-end gap-2">
      <Field
        label="Passphrase"
        type="password"
        autoComplete="off"
        className="w-72"
        value={passphrase}
        onChange={(event) => setPassphrase(event.target.value)}
        problem={error?.message ?? null}
      />
      {isNew && (
        <Field
          label="Once more"
          type="password"
          autoComplete="off"
          className="w-72"
          value={repeated}
          onChange={(event) => setRepeated(event.target.value)}
          problem={differ ? 'The two differ.' : null}
        />
      )}
      <Button
        type="submit"
        variant="primary"
        busy={busy}
        disabled={passphrase === '' || (isNew && repeated !== passphrase)}
      >
        {isNew ? 'Choose this passphrase' : 'Unlock'}
      </Button>
    </form>
  )
}
