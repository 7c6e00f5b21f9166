import { loading, shown } from '../models.ts';
import { nameOf } from '../sources.ts';
import { strings } from '../strings.ts';
import { openModelDialog } from './dialogs.tsx';

/** What stands in the case: the model's card, as beside an exhibit. */
export function ModelLabel() {
  const card = shown.value;
  return (
    <section class="label" aria-label={strings.modelSection}>
      <h2>{card ? nameOf(card.ref) : (loading.value?.name ?? strings.noModel)}</h2>
      <div class="facts">{card && <Facts {...card} />}</div>
      <button type="button" class="quiet" onClick={() => openModelDialog()}>
        {strings.changeModel}
      </button>
    </section>
  );
}

function Facts({ model: { config, device } }: NonNullable<typeof shown.value>) {
  return (
    <>
      <p>{strings.shape(config.nLayer, config.nHead, config.nEmbd)}</p>
      <p>{strings.words(config.vocabSize, config.nCtx)}</p>
      <p class="device" data-kind={device.kind} title={device.reason}>
        {strings.runsOn(strings.kinds[device.kind], device.adapter)}
      </p>
      <p>{strings.held(device.dtype, device.bytes)}</p>
    </>
  );
}
