import { part } from '../plan/part.ts';

/** What classifies by a head that was trained, fetched by who has one on. */
export const trainedHeads = () => part('What classifies by trained heads', () => import('./classify-by-head.ts'));
