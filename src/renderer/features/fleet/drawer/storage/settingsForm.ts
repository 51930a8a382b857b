import { type StorageSettings, StorageSettings as StorageSettingsModel } from '../../../../../shared/model/storage.ts'

/** What a person types; text until it is checked. */
export interface SettingsForm {
  readonly user: string
  readonly principals: string
  readonly way: 'console' | 'second-authority'
  readonly note: string
  readonly publicKey: string
}

export type FormProblems = Readonly<Partial<Record<keyof SettingsForm, string>>>

export function formOf(settings: StorageSettings | null): SettingsForm {
  const breakGlass = settings?.breakGlass
  return {
    user: settings?.user ?? 'sync',
    principals: (settings?.principals ?? ['sync-agent']).join(' '),
    way: breakGlass?.kind ?? 'console',
    note: breakGlass?.kind === 'console' ? breakGlass.note : '',
    publicKey: breakGlass?.kind === 'second-authority' ? breakGlass.publicKey : '',
  }
}

/** D38: without a way around the certificates there are no settings. */
export function readForm(
  form: SettingsForm,
): { readonly settings: StorageSettings } | { readonly problems: FormProblems } {
  const note = form.note.trim()
  const publicKey = form.publicKey.trim()
  const missing: FormProblems =
    form.way === 'console' && note === ''
      ? { note: 'say which way in you have tried, e.g. the console of the provider' }
      : form.way === 'second-authority' && !/^(?:ssh|ecdsa)-\S+ \S+/.test(publicKey)
        ? { publicKey: 'one public key line, e.g. ssh-ed25519 AAAA… break-glass' }
        : {}
  const parsed = StorageSettingsModel.safeParse({
    user: form.user,
    principals: form.principals.split(/[\s,]+/).filter((principal) => principal !== ''),
    breakGlass: form.way === 'console' ? { kind: 'console', note } : { kind: 'second-authority', publicKey },
  })
  if (parsed.success && Object.keys(missing).length === 0) return { settings: parsed.data }
  const found = parsed.success
    ? []
    : parsed.error.issues
        .filter((issue) => issue.path[0] !== 'breakGlass')
        .map((issue) => [String(issue.path[0]), issue.message])
  return { problems: { ...Object.fromEntries(found), ...missing } }
}
