/**
 * The scheduler: finds a node for every pod that has none.
 *
 *   informers --> ClusterCache (nodes, their pods, what was just decided)      SchedulingQueue (active, back-off, unschedulable)
 *                        `--------------- decideNode (pure): filters, then scores ---------'
 *                                                  |
 *                              assume in the cache, bind through the API, behind the next decisions
 *
 * `framework.ts` has the plug-in points, `plugins/` one file each, `default-profile.ts` the list in use. A pod that fits
 * nowhere waits until an event happens that one of the filters that refused it asked for.
 *
 * Left out, with their places kept in framework.ts: preemption, pod affinity, topology spread constraints.
 */
export { addScheduler, type SchedulerOptions } from './scheduler.ts'
export { defaultProfile } from './default-profile.ts'
export type { BindPlugin, ClusterEvent, FilterPlugin, Profile, ReservePlugin, ScorePlugin } from './framework.ts'
