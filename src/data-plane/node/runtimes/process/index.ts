/**
 * The process runtime: containers are processes of this machine.
 *
 *   process-runtime     the Runtime interface, put together from what follows
 *   host                what the machine can do, found by trying
 *   layout, state-file  where everything is on disk; the disk is the truth, memory only a copy
 *   pod-store           pod directories and addresses
 *   container-store     writes and loads containers; container-record, container-state: one of them, and what its files say
 *   launch, shim        command lines; the shell script that outlives the agent and keeps pid and exit code
 *   plan-mounts, make-mounts, literal-mounts   volumes at their mountPath, or the next best thing
 *   cgroups             limits, accounting, OOM
 *   resolve-program     clear errors before a start
 *   container-monitor, change-feed             who notices that something happened
 *   stop-container, strays                     ends containers with all they started
 *   exec, usage         commands beside a container; samples
 *   log-keeper, log-file, log-index, log-reader   output: kept, shortened, timed, read
 *
 * The agent holds nothing a container needs: no pipe, no parent, no lock. Killed at any moment, its successor reads the same files.
 * A process is not a sandbox: without root containers see and reach whatever the agent's user does.
 */
export { createProcessRuntime, type ProcessRuntimeOptions } from './process-runtime.ts'
