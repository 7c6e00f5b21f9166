export default { build: { rolldownOptions: { input: 'popup.html' } } };
