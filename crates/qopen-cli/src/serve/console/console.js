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

// Parts of the page are replaced as they change. The parts come from qopen, which escapes every value.
for (const live of document.querySelectorAll('[data-live]')) {
  const source = new EventSource(live.dataset.live);
  const lost = live.querySelector('.live-lost');
  source.addEventListener('open', () => {
    live.querySelector('.live').hidden = false;
    lost.hidden = true;
  });
  source.addEventListener('error', () => {
    live.querySelector('.live').hidden = true;
    // A browser connects again on its own, unless the answer was a refusal.
    lost.hidden = source.readyState !== EventSource.CLOSED;
  });
  source.addEventListener('parts', event => {
    for (const [id, html] of Object.entries(JSON.parse(event.data))) {
      const part = document.getElementById(id);
      const focused = part.contains(document.activeElement) && document.activeElement.id;
      part.innerHTML = html;
      if (focused) {
        (document.getElementById(focused) || document.getElementById('main')).focus();
      }
    }
  });
  addEventListener('pagehide', () => source.close());
}
