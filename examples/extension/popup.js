import 'vitrine/elements';

const model = new URLSearchParams(location.search).get('model');
if (model) document.querySelector('vitrine-writer').src = model;
