const usualDirectory = '/etc/ssh/'

/**
 * Where a file of sshd lies on this node. `/etc/ssh` stands for the directory that holds the node's sshd_config, so
 * that one plan fits machines that keep it elsewhere, and never writes beside the sshd it is meant for.
 */
export function sshdFilePath(sshd: { readonly configFile: string }, path: string): string {
  if (sshd.configFile.startsWith(usualDirectory) || !path.startsWith(usualDirectory)) return path
  return `${sshdDirectory(sshd)}/${path.slice(usualDirectory.length)}`
}

/** The directory of sshd_config; may begin with `~/`, which the node expands (D17). */
export function sshdDirectory({ configFile }: { readonly configFile: string }): string {
  return configFile.slice(0, configFile.lastIndexOf('/'))
}
