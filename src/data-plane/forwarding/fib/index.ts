/**
 * The kernel's routing table, as far as it carries our tag: the `Fib` of policy/route/fib-route.ts.
 *
 *   fib-reconciler   openFib: applies, changes, puts right what others or the kernel undo, tries again
 *   plan-fib         pure: what to create, replace and remove
 *   way              next hops and the rest of a route that many share, and when two are the same
 *   route-key        what a route is known by, in few bytes
 *   wanted-routes    the routes that should be there
 *   fib-writer       many routes in one call
 *   fib-events       what others do, and links and addresses
 *   fib-failures     routes that are not in force: why, and when to try again; strikes: when others do it again and again
 */
export { openFib, type FibOptions, type KernelFib } from './fib-reconciler.ts'
export { planFib, type FibPlan } from './plan-fib.ts'
