import type { Sandbox } from '../runtime.ts'

/** Where the files of a container's recipe are written: what `$(BIPLANE_FILES)` stands for. The container may write there. */
export function filesDirOf(sandbox: Sandbox, container: string): string {
  return `${sandbox.dir}/files/${container}`
}

/**
 * Variables every process container has, and recipes may use: a pod shares its machine's network and files, so it must be told its own
 * address and directory. A variable of the same name in the pod wins.
 */
export function recipeVariables(sandbox: Sandbox, container: string): Record<string, string> {
  return {
    BIPLANE_POD_UID: sandbox.podUid,
    BIPLANE_POD_IP: sandbox.ips[0] ?? '127.0.0.1',
    BIPLANE_POD_DIR: sandbox.dir,
    BIPLANE_FILES: filesDirOf(sandbox, container),
  }
}
