import { messageOf } from '../../../base/errors.ts'
import { RuntimeError } from '../runtime.ts'
import { ContainerConfigError, VolumeError } from './container-config-error.ts'
import type { StartFailure } from './pod-view.ts'

/** How long a missing ConfigMap, and anything that failed for reasons of this machine, waits before the next try. */
export const RETRY_MS = 2_000
/** An image that cannot run is looked at again after this time; at once when the recipes change. */
const IMAGE_RETRY_MS = 10_000

export interface StartProblem extends StartFailure {
  /** When to try again; absent: the container has crashed and backs off like any other. */
  readonly retryMs?: number
  readonly event: { readonly reason: 'Failed' | 'FailedMount'; readonly message: string }
}

/** What it means that a container did not start, as kubelet names it. */
export function startProblem(error: unknown): StartProblem {
  const message = messageOf(error)
  const event = { reason: 'Failed', message: `Error: ${message}` } as const
  if (error instanceof VolumeError) {
    const text = `MountVolume.SetUp failed for volume "${error.volume}" : ${message}`
    return { reason: error.reason, message, retryMs: RETRY_MS, event: { reason: 'FailedMount', message: text } }
  }
  if (error instanceof ContainerConfigError) return { reason: error.reason, message, retryMs: RETRY_MS, event }
  const code = error instanceof RuntimeError ? error.code : undefined
  if (code === 'StartError') return { reason: 'RunContainerError', message, event }
  if (code === 'ImageNotRunnableAsProcess') return { reason: code, message, retryMs: IMAGE_RETRY_MS, event }
  return { reason: 'CreateContainerError', message, retryMs: RETRY_MS, event }
}
