import { closeSync, mkdirSync, openSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { loadLibc, type SystemCallError } from './libc.ts'

const CLONE_NEWNET = 0x4000_0000
const MS_BIND = 4096
const MNT_DETACH = 2

/**
 * Runs `fn` with this thread in the network namespace at `path` (such as `/run/netns/a`), then returns to the own one. Sockets that `fn` opens stay in
 * that namespace for good. `fn` must not wait: it is one synchronous step, so nothing else of this thread runs elsewhere.
 * Needs root. @throws SystemCallError, and what `fn` throws
 */
export function inNetworkNamespace<T>(path: string, fn: () => T): T {
  const libc = loadLibc()
  const own = openSync('/proc/thread-self/ns/net', 'r')
  try {
    const other = openSync(path, 'r')
    try {
      libc.setns(other, CLONE_NEWNET)
    } finally {
      closeSync(other)
    }
    try {
      return fn()
    } finally {
      libc.setns(own, CLONE_NEWNET)
    }
  } finally {
    closeSync(own)
  }
}

/** Makes a network namespace that lives on at `path` (a new file) until removed: what `ip netns add` does. Needs root. */
export function createNetworkNamespace(path: string): void {
  const libc = loadLibc()
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, '', { flag: 'wx', mode: 0o444 })
  const own = openSync('/proc/thread-self/ns/net', 'r')
  try {
    libc.unshare(CLONE_NEWNET)
    try {
      libc.mount('/proc/thread-self/ns/net', path, null, MS_BIND)
    } finally {
      libc.setns(own, CLONE_NEWNET)
    }
  } catch (error) {
    unlinkSync(path)
    throw error
  } finally {
    closeSync(own)
  }
}

/** Removes the name, also one that a killed process has left without a namespace; the namespace ends with the last process and socket in it. */
export function removeNetworkNamespace(path: string): void {
  try {
    loadLibc().umount(path, MNT_DETACH)
  } catch (error) {
    // nothing is mounted there
    if ((error as SystemCallError).code !== 'EINVAL') throw error
  }
  unlinkSync(path)
}
