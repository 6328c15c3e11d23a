// Behaviour of the console's pages. Every page works without it.
'use strict';

// A message is shown once. Without this a reload asks for it again.
const address = new URL(location.href);
if (address.searchParams.has('flash')) {
  address.searchParams.delete('flash');
  history.replaceState(null, '', address);
}

// A form is sent once.
for (const form of document.querySelectorAll('form[method="post"]')) {
  form.addEventListener('submit', event => {
    if (form.dataset.sent) {
      event.preventDefault();
    }
    form.dataset.sent = 'true';
  });
}
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) {
    delete form.dataset.sent;
  }
});
