import { useReplica } from '../../stores/ReplicaContext.tsx'
import { UnlockForm } from './UnlockForm.tsx'

/** While the vault is locked nothing can be signed, so the way to open it stands above every view. */
export function VaultGate() {
  const locked = useReplica((state) => state.engine?.vault.unlocked === false)
  const description = useReplica((state) => state.engine?.vault.description ?? '')
  if (!locked) return null
  return (
    <section
      aria-label="Locked vault"
      className="flex shrink-0 flex-wrap items-end justify-between gap-4 border-b border-pending bg-raised px-4 py-3"
    >
      <div>
        <p className="font-medium">The key vault is locked.</p>
        <p className="text-muted">
          Until it is open no certificate can be issued and no node can be synced. Protection: {description}.
        </p>
        <p className="text-muted">
          A new home takes the first passphrase for its own. Nobody can open the vault without it.
        </p>
      </div>
      <UnlockForm />
    </section>
  )
}
