import { z } from 'zod'

/** Characters that no name, address or path of ours may hold: they end lines, records or strings elsewhere. */
const controlCharacters = /[\u0000-\u001f\u007f]/

const byteLength = (text: string): number => new TextEncoder().encode(text).length

/** A name shown to people: up to 255 bytes of UTF-8, no control characters, no slash, not an option (`-x`). */
export const DisplayName = z
  .string()
  .min(1, 'a name has at least 1 character')
  // A character is at most three bytes: most names need no counting, and registries have thousands of names.
  .refine((text) => text.length <= 85 || byteLength(text) <= 255, 'a name has at most 255 bytes')
  .refine((text) => !controlCharacters.test(text), 'a name holds no line breaks or control characters')
  .refine((text) => !text.includes('/'), 'a name holds no slash')
  .refine((text) => !text.startsWith('-'), 'a name does not start with a dash')
  .refine((text) => text.trim() === text, 'a name does not start or end with a space')

/** Host name or IP address as an SSH client takes it. */
export const Address = z
  .string()
  .max(253, 'an address has at most 253 characters')
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$|^[0-9A-Fa-f]*:[0-9A-Fa-f:.]+(%[A-Za-z0-9]+)?$/,
    'an address is a host name, an IPv4 or an IPv6 address',
  )

export const Port = z.number().int().min(1, 'a port is 1 to 65535').max(65_535, 'a port is 1 to 65535')

/** Login name: what POSIX user names look like in practice; never an option, never a path. */
export const LoginUser = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/,
    'a login user is 1 to 32 letters, digits or . _ - and does not start with a dash or digit',
  )

/** Name an SSH certificate may log in as. Never empty, never a wildcard, never a list (S0.20). */
export const Principal = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$/, 'a principal is 1 to 64 letters, digits or . _ @ -')

/**
 * A directory: absolute, or below the home directory (`~`, `~/x`), which is expanded where the directory lives (D17).
 * May hold spaces, quotes and even line breaks; NUL never. The root and `..` segments are refused, because a
 * mistaken delete there cannot be taken back.
 */
export const DirectoryPath = z
  .string()
  .max(4096, 'a path has at most 4096 characters')
  .refine(
    (path) => path.startsWith('/') || path === '~' || path.startsWith('~/'),
    'a path is absolute or starts with ~/',
  )
  .refine((path) => !path.includes('\u0000'), 'a path holds no NUL character')
  .refine((path) => !path.split('/').includes('..'), 'a path holds no .. segment')
  .refine(
    (path) => path.replaceAll('/', '').replace(/^\.+$/, '') !== '',
    'the root directory is not a valid target or source',
  )
  .refine((path) => !/^~[/.]*$/.test(path), 'name a directory below the home directory, not the home directory itself')

/** A private key on the machine of the engine: absolute, and spelled in one way only, so that equal files have equal names. */
export const KeyFilePath = z
  .string()
  .max(4096, 'a key file path has at most 4096 characters')
  .refine((path) => path.startsWith('/'), 'the path of a key file is absolute')
  .refine((path) => !controlCharacters.test(path), 'the path of a key file holds no control characters')
  .refine(
    (path) =>
      path
        .slice(1)
        .split('/')
        .every((part) => !['', '.', '..'].includes(part)),
    'the path of a key file names a file, without empty, "." or ".." parts',
  )

export const LabelKey = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_.-]{0,62}$/, 'a label key is 1 to 63 letters, digits or . _ - and starts with a letter')
export const LabelValue = z
  .string()
  .max(255, 'a label value has at most 255 characters')
  .refine((text) => !controlCharacters.test(text), 'a label value holds no control characters')
export const Labels = z.record(LabelKey, LabelValue)
export type Labels = z.infer<typeof Labels>

/**
 * A single file on a node: absolute, or below the home directory of the login user (`~/x`), expanded there (D17). No
 * spaces, quotes or shell characters: it is written into sshd_config, which has no quoting worth trusting.
 */
export const FilePath = z
  .string()
  .max(1024, 'a file path has at most 1024 characters')
  .regex(
    /^(?:~\/|\/)(?:[A-Za-z0-9._@+-]+\/)*[A-Za-z0-9._@+-]+$/,
    'a file path is absolute or starts with ~/, and holds letters, digits and . _ @ + - / only',
  )
  .refine((path) => !path.split('/').includes('..'), 'a file path holds no .. segment')

/** A fully qualified or short host name, as it appears in a certificate. */
export const HostName = z
  .string()
  .max(253, 'a host name has at most 253 characters')
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'a host name is letters, digits, dots and dashes')
