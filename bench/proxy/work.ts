/** What every proxy does, whoever made it: one of fifty routes is found by prefix, a header decides on a denial, each request is logged in a file. */
export const ROUTES = 50
export const DENIED_HEADER = 'x-denied'

export const routeName = (index: number): string => `service-${String(index).padStart(2, '0')}`
export const routePrefix = (index: number): string => `/${routeName(index)}/`
/** Of the requests: neither the first nor the last. */
export const ASKED: string = routePrefix(37)
export const allRoutes: readonly number[] = Array.from({ length: ROUTES }, (_, i) => i)
