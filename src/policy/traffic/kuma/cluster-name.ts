/** Name of the cluster of a service's port, where a policy refers to one. The compiler names clusters by it. */
export const clusterName = (namespace: string, name: string, port: number): string => `${namespace}/${name}|${port}`
