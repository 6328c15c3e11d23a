<?php

// Opens each test vector: php vectors.php ../envelopes.json

declare(strict_types=1);

require __DIR__ . '/callback.php';

// A warning is a failure.
set_error_handler(fn (int $level, string $text) => throw new ErrorException($text, 0, $level));
$file = json_decode(file_get_contents($argv[1]), true, flags: JSON_THROW_ON_ERROR);
foreach ($file['cases'] as $case) {
    $body = $case['body'] ?? base64_decode($case['body_base64']);
    try {
        $keys = [$case['app_key'], $case['token'], $case['encoding_aes_key']];
        $payload = open_callback($body, ...$keys);
        $result = hash('sha256', $payload);
    } catch (Refused $error) {
        $result = "refused: {$error->getMessage()}";
    }
    echo "{$case['name']}\t$result\n";
}
