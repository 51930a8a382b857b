import { useReplica } from '../../stores/ReplicaContext.tsx'
import { UnlockForm } from './UnlockForm.tsx'

/** While the vault is locked nothing can be signed, so the way to open it stands above every view. */
export function VaultGate() {
  const locked = useReplica((state) => state.engine?.vault.unlocked === false)
  const description = useReplica((state) => state.engine?.vault.description ?? '')
  const isNew = useReplica((state) => state.engine?.vault.isNew === true)
  if (!locked) return null
  return (
    <section
      aria-label="Locked vault"
      className="flex shrink-0 flex-wrap items-end justify-between gap-4 border-b border-pending bg-raised px-4 py-3"
    >
      <div>
        <p className="font-medium">{isNew ? 'Choose the passphrase of the key vault.' : 'The key vault is locked.'}</p>
        <p className="text-muted">
          Until it is open no certificate can be issued and no node can be synced. Protection: {description}.
        </p>
        {isNew && <p className="text-muted">Nobody can open the vault without it, and nobody can find it out again.</p>}
      </div>
      <UnlockForm />
    </section>
  )
}
