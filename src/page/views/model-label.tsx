import { guest, leaveRoom, loading, opened, shown, talking } from '../models.ts';
import { nameOf, titleOf } from '../sources.ts';
import { strings } from '../strings.ts';
import { openModelDialog } from './dialogs.tsx';

/** What stands in the case: the model's card, as beside an exhibit. */
export function ModelLabel() {
  const card = opened.value;
  return (
    <section class="label" aria-label={strings.modelSection}>
      <h2 title={card && nameOf(card.ref)}>{card ? titleOf(card.ref) : (loading.value?.name ?? strings.noModel)}</h2>
      <div class="facts">{card && <Facts {...card} />}</div>
      <button type="button" class="quiet" onClick={() => openModelDialog()}>
        {strings.changeModel}
      </button>
      {!guest.value && shown.value?.talks && (
        <button type="button" class="quiet" onClick={() => (talking.value = !talking.value)}>
          {talking.value ? strings.writeOn : strings.converse}
        </button>
      )}
      {guest.value && (
        <button type="button" class="quiet" onClick={leaveRoom}>
          {strings.back}
        </button>
      )}
    </section>
  );
}

function Facts({ model: { config, device } }: NonNullable<typeof opened.value>) {
  const layers = 'nDecoderLayer' in config ? `${config.nLayer} + ${config.nDecoderLayer}` : config.nLayer;
  return (
    <>
      <p>{strings.shape(layers, config.nHead, config.nEmbd)}</p>
      {'patchSize' in config ? (
        <p>{strings.patches(config.imageSize, config.nCtx - config.nPrefix)}</p>
      ) : (
        <p>{strings.words(config.vocabSize, config.nCtx)}</p>
      )}
      <p class="device" data-kind={device.kind} title={device.reason}>
        {strings.runsOn(strings.kinds[device.kind], device.adapter)}
      </p>
      <p>{strings.held(device.dtype, device.bytes)}</p>
    </>
  );
}
