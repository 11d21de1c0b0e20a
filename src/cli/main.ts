#!/usr/bin/env node
/**
 * The command line `biplane`, and the only place where whole processes are put together.
 *
 *   main, run-cli       the process: signals, streams, exit code; one command line, run. A worker thread of the router is the same file
 *   program/            what commands and flags there are (commander); the reference in docs/ is made from it
 *   commands/           one file a command, loaded when it is called
 *   compose/            a control plane, a node: all parts of one process wired
 *   up/                 the supervisor of both with its progress on the terminal
 *   kubeconfig/         merging into and removing from the user's kubeconfig
 *   connect, objects/   the way to a cluster; which kind, which names a command line means
 *   apply/              manifests read, patches planned, objects created or patched
 *   print/, describe/   tables and texts
 *   errors/             what, where, why, how to fix
 *   demo/               the scripted tour
 */
import { isMainThread } from 'node:worker_threads'

if (isMainThread) {
  const [{ runCli }, { processContext }] = await Promise.all([import('./run-cli.ts'), import('./process-context.ts')])
  process.exitCode = await runCli(process.argv.slice(2), processContext())
  // a command may leave a keep-alive connection or a stream of input behind: what it had to say has been said
  await new Promise((resolve) => process.stdout.write('', resolve))
  process.exit()
} else {
  // of all this the thread loads only what it needs
  const { runBfdThread } = await import('./compose/bfd-thread.ts')
  runBfdThread()
}
