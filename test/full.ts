/** Whether this is `npm run test:full`, in which GPUs too get every shape: software compiles the kernels of each for seconds. */
export const isFull: boolean = import.meta.env.VITRINE_FULL === '1';
