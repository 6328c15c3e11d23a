<?php

// Verifies and opens a callback of the qopen platform. Needs the extension openssl.

declare(strict_types=1);

/** The message is the reason: malformed, app_key, signature or undecryptable. */
final class Refused extends RuntimeException
{
}

/** Returns the payload. Throws Refused, or ValueError for a key of the wrong length. */
function open_callback(
    string $body,
    string $appKey,
    #[SensitiveParameter] string $token,
    #[SensitiveParameter] string $encodingAesKey,
): string {
    $isBase64 = strlen($encodingAesKey) === 43;
    $key = $isBase64 ? (string) base64_decode("$encodingAesKey=", true) : $encodingAesKey;
    if (!in_array(strlen($key), [16, 24, 32], true)) {
        throw new ValueError('an EncodingAESKey has 16, 24, 32 or 43 characters');
    }
    // A number keeps its digits: they are what the platform signed. json_decode would lose some.
    $number = '/"timestamp"\s*:\s*\K-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?=\s*[,}])/';
    $envelope = json_decode((string) preg_replace($number, '"$0"', $body), true);
    $fields = [];
    foreach (['app_key', 'nonce', 'timestamp', 'signature', 'encoding_content'] as $name) {
        $fields[] = $envelope[$name] ?? null;
    }
    if ($fields !== array_filter($fields, 'is_string')) {
        throw new Refused('malformed');
    }
    [$sentKey, $nonce, $timestamp, $signature, $content] = $fields;
    if ($sentKey !== $appKey) {
        throw new Refused('app_key');
    }
    // Sorted as bytes: without SORT_STRING, PHP compares texts of digits as numbers.
    $signed = [$sentKey, $token, $nonce, $timestamp, $content];
    sort($signed, SORT_STRING);
    if (!hash_equals(md5(implode('', $signed)), $signature)) {
        throw new Refused('signature');
    }
    $encrypted = (string) base64_decode($content, true);
    if ($encrypted === '' || strlen($encrypted) % 16 !== 0) {
        throw new Refused('undecryptable');
    }
    $cipher = 'aes-' . 8 * strlen($key) . '-cbc';
    $options = OPENSSL_RAW_DATA | OPENSSL_ZERO_PADDING;
    $plain = (string) openssl_decrypt($encrypted, $cipher, $key, $options, substr($key, 0, 16));
    $padding = ord(substr($plain, -1));
    $end = str_repeat(chr($padding), $padding);
    if ($padding < 1 || $padding > 32 || !str_ends_with($plain, $end)) {
        throw new Refused('undecryptable');
    }
    return substr($plain, 0, -$padding);
}
