import { join } from 'node:path'
import { AppError } from '../shared/errors.ts'

/** Where the files of one demo node are. `directory` stands for its file system. */
export interface NodeLayout {
  readonly directory: string
  /** HOME of every session. */
  readonly home: string
  /** In the home, a link to the directory: `~/.machine/etc/ssh` means the node's own, wherever the fleet lies. */
  readonly machineLink: string
  readonly hostsFile: string
  /** The key that the node serves now. */
  readonly hostKey: string
  /** The key the node was born with, kept aside also while another one is served. */
  readonly originalHostKey: string
  /** Belongs to the node, as on any machine: written once, then changed by whoever manages it. */
  readonly sshdConfig: string
  /** What makes it a demo node; included by `sshdConfig`, written anew for every fault. */
  readonly sshdBase: string
  readonly principals: string
  /** Where the Traefik of a VPS looks for routes, and where the id of its process is. */
  readonly traefikConfig: string
  readonly traefikPid: string
  readonly session: string
  readonly fullDisk: string
  /** Mount point that only sessions of a full disk see. */
  readonly fullDiskMount: string
  readonly log: string
  /** Written by sshd once it listens. */
  readonly sshdPid: string
  /** Who we started: pid and start time of each of the node's processes. */
  readonly processes: string
}

export interface FleetLayout {
  readonly directory: string
  readonly fleetFile: string
  readonly trustedUserCa: string
  /** Tree that the seeded plan delivers. */
  readonly source: string
  /** The process that stands for the Traefik of every VPS: who it is, and where its API listens. */
  readonly traefikFile: string
  /** Its mark; no directory is there. */
  readonly traefikMark: string
  node(name: string): NodeLayout
}

/** Below HOME of each node; what the seeded plan writes to. */
export const targetDirectory = '~/sync/edge-config'

/** Where sshd of a node is configured, as a session of that node would name it. */
export const sshdControlPaths = { configFile: '~/.machine/etc/ssh/sshd_config', pidFile: '~/.machine/run/sshd.pid' }

/** Where the seeded plans of routes and hosts write, as a session of a node would name it. */
export const registryPaths = {
  routesFile: '~/traefik/config/mynodeone-routes.yml',
  traefikPidFile: '~/traefik/traefik.pid',
  hostsFile: '~/.machine/etc/hosts',
}

/** Below HOME of storage nodes: where agents may push to. */
export const agentsDirectory = 'agents'

/** An sshd of ours is recognised by having this file of a node open. */
export const logName = 'sshd.log'

function nodeLayout(directory: string): NodeLayout {
  const at = (...parts: string[]): string => join(directory, ...parts)
  return {
    directory,
    home: at('home'),
    machineLink: at('home', '.machine'),
    hostsFile: at('etc', 'hosts'),
    hostKey: at('etc', 'ssh', 'ssh_host_ed25519_key'),
    originalHostKey: at('etc', 'ssh', 'ssh_host_ed25519_key.original'),
    sshdConfig: at('etc', 'ssh', 'sshd_config'),
    sshdBase: at('etc', 'ssh', 'sshd_demo_config'),
    traefikConfig: at('home', 'traefik', 'config'),
    traefikPid: at('home', 'traefik', 'traefik.pid'),
    principals: at('etc', 'ssh', 'authorized_principals'),
    session: at('etc', 'session'),
    fullDisk: at('etc', 'full-disk'),
    fullDiskMount: at('full'),
    log: at(logName),
    sshdPid: at('run', 'sshd.pid'),
    processes: at('run', 'processes.json'),
  }
}

/** @param directory absolute; control characters are refused, since sshd_config could not express them. */
export function fleetLayout(directory: string): FleetLayout {
  if (/[\u0000-\u001f\u007f"]/.test(directory)) {
    throw new AppError(
      'INVALID_INPUT',
      'The demo fleet cannot live below a directory whose name holds a quote, a line break or a control character. Choose another home.',
    )
  }
  return {
    directory,
    fleetFile: join(directory, 'fleet.json'),
    trustedUserCa: join(directory, 'trusted_user_ca.pub'),
    source: join(directory, 'source'),
    traefikFile: join(directory, 'traefik.json'),
    traefikMark: join(directory, 'nodes', '.traefik'),
    node: (name) => nodeLayout(join(directory, 'nodes', name)),
  }
}
