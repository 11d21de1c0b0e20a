import { join } from 'node:path'

/** Where everything lies below a data directory. */
export interface DataLayout {
  /** 0711: containers of other users must get through to their own files. */
  readonly root: string
  /** 0700: keys and the store. */
  readonly controlPlane: string
  readonly store: string
  readonly pki: string
  readonly joinTokens: string
  /** Written by the control plane once it serves: where, and how to trust it. */
  readonly endpoint: string
  /** Kubeconfig of the administrator, 0600. */
  readonly adminKubeconfig: string
  /** 0711. */
  node(name: string): NodeLayout
}

export interface NodeLayout {
  readonly root: string
  /** Pods of the process runtime. */
  readonly pods: string
  /** 0700: the node's certificate and its last good copies. */
  readonly state: string
  /** PEM of the control plane's CA, as it was believed at the last start. */
  readonly caCertificate: string
}

export function dataLayout(dir: string): DataLayout {
  const controlPlane = join(dir, 'control-plane')
  return {
    root: dir,
    controlPlane,
    store: join(controlPlane, 'store'),
    pki: join(controlPlane, 'pki'),
    joinTokens: join(controlPlane, 'join-tokens.json'),
    endpoint: join(controlPlane, 'endpoint.json'),
    adminKubeconfig: join(controlPlane, 'admin.kubeconfig'),
    node: (name) => {
      const root = join(dir, 'nodes', name)
      return { root, pods: join(root, 'runtime'), state: join(root, 'state'), caCertificate: join(root, 'state/ca.crt') }
    },
  }
}
