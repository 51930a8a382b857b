import { Command } from 'commander'
import { addAgentCommands, addGatewayCommands } from './commands/agents.ts'
import { addAuditCommands } from './commands/audit.ts'
import { addAuthorityCommands } from './commands/authority.ts'
import { addCertificateCommands } from './commands/certificates.ts'
import { addDemoCommands } from './commands/demo.ts'
import { addDiagnoseCommand } from './commands/diagnose.ts'
import { addDoctorCommand } from './commands/doctor.ts'
import { addHealthCommand } from './commands/health.ts'
import { addNodeCommands } from './commands/nodes.ts'
import { addPlanCommands } from './commands/plans.ts'
import { addPushCommand } from './commands/push.ts'
import { addRegistryCommands } from './commands/registry.ts'
import { addRepositoryCommands } from './commands/repositories.ts'
import { addRolloutCommands } from './commands/rollouts.ts'
import { addRunCommands } from './commands/runs.ts'
import { addServeCommands } from './commands/serve.ts'
import { addServiceCommands } from './commands/service.ts'
import { addStatusCommand } from './commands/status.ts'
import { addStorageCommands } from './commands/storage.ts'
import type { Runner } from './context.ts'

/** The whole command line. Nothing is done before a command hands its work to `run`. */
export function buildProgram(version: string, run: Runner): Command {
  const program = new Command('lockstep')
    .description('Keeps a fleet in step, and proves it.')
    .version(version)
    .option('--home <dir>', 'the directory that holds everything (default: LOCKSTEP_HOME, else the usual place)')
    .option('--host <user@host>', 'the control plane of another machine, reached over ssh')
    .option(
      '--remote-home <dir>',
      'its directory there (default: LOCKSTEP_HOME there, the usual place, /var/lib/lockstep)',
    )
    .option('--json', 'print one JSON value; errors as one JSON object on standard error')
    .option('--passphrase-file <file>', 'where the passphrase of the key vault is (default: LOCKSTEP_PASSPHRASE_FILE)')
    .exitOverride()
    .configureOutput({ outputError: () => undefined, writeErr: () => undefined })
    .helpCommand('help [command]', 'what a command does')
  const parts = [
    addServeCommands,
    addServiceCommands,
    addDemoCommands,
    addNodeCommands,
    addPlanCommands,
    addRegistryCommands,
    addRepositoryCommands,
    addPushCommand,
    addRolloutCommands,
    addHealthCommand,
    addRunCommands,
    addCertificateCommands,
    addAuthorityCommands,
    addStorageCommands,
    addAgentCommands,
    addGatewayCommands,
    addDoctorCommand,
    addDiagnoseCommand,
    addAuditCommands,
    addStatusCommand,
  ]
  for (const add of parts) add(program, run)
  return program
}
