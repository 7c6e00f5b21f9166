export const disk = {};
