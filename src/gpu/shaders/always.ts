/** What every program that writes has. */
export default import.meta.glob<string>(
  [
    '../../../shaders/{activate,attention-input,attention-keys,batch,cache-append,cache-write,embed,lanes,linear-input,linear-row-input}.wgsl',
    '../../../shaders/{linear-store,linear-tile-input,norm,sample-draw,sample-scan,sampler,select-rows,subgroups,token-scores}.wgsl',
    '../../../shaders/{cache/f16,cache/f32,weights/f16,weights/f32,weights/unscaled}.wgsl',
  ],
  { query: '?raw', import: 'default', eager: true },
);
