import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** Verifies and opens a callback of the qopen platform. Java 17 or later. */
final class Callback {
    /** The message is the reason: malformed, app_key, signature or undecryptable. */
    static final class Refused extends Exception {
        Refused(String reason, Throwable cause) {
            super(reason, cause);
        }
    }

    /** Returns the payload. Throws Refused, or another exception for a key of the wrong length. */
    static byte[] open(byte[] body, String appKey, String token, String encodingAesKey)
            throws Refused, GeneralSecurityException {
        byte[] key = encodingAesKey.length() == 43
                ? Base64.getDecoder().decode(encodingAesKey)
                : bytes(encodingAesKey);
        Cipher cipher = Cipher.getInstance("AES/CBC/NoPadding");
        IvParameterSpec iv = new IvParameterSpec(key, 0, 16);
        cipher.init(Cipher.DECRYPT_MODE, new SecretKeySpec(key, "AES"), iv);
        byte[] sentKey, nonce, timestamp, signature, content;
        try {
            CharBuffer text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body));
            // A number keeps its digits: they are what the platform signed.
            Map<?, ?> envelope = (Map<?, ?>) Json.read(text.toString());
            sentKey = bytes((String) envelope.get("app_key"));
            nonce = bytes((String) envelope.get("nonce"));
            timestamp = bytes((String) envelope.get("timestamp"));
            signature = bytes((String) envelope.get("signature"));
            content = bytes((String) envelope.get("encoding_content"));
        } catch (CharacterCodingException | Json.Mistake | ClassCastException
                | NullPointerException e) {
            throw new Refused("malformed", e);
        }
        if (!Arrays.equals(sentKey, bytes(appKey))) throw new Refused("app_key", null);
        byte[][] signed = {sentKey, bytes(token), nonce, timestamp, content};
        // As bytes: strings would be compared by their UTF-16.
        Arrays.sort(signed, Arrays::compareUnsigned);
        MessageDigest md5 = MessageDigest.getInstance("MD5");
        for (byte[] value : signed) md5.update(value);
        byte[] expected = bytes(HexFormat.of().formatHex(md5.digest()));
        if (!MessageDigest.isEqual(expected, signature)) throw new Refused("signature", null);
        byte[] plain;
        try {
            plain = cipher.doFinal(Base64.getDecoder().decode(content));
        } catch (IllegalArgumentException | GeneralSecurityException e) {
            throw new Refused("undecryptable", e);
        }
        int padding = plain.length == 0 ? 0 : plain[plain.length - 1];
        boolean valid = 1 <= padding && padding <= Math.min(32, plain.length);
        for (int i = 1; valid && i <= padding; i++) valid = plain[plain.length - i] == padding;
        if (!valid) throw new Refused("undecryptable", null);
        return Arrays.copyOf(plain, plain.length - padding);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
