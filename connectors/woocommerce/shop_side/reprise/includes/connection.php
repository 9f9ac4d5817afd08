<?php
/**
 * Which Reprise this shop belongs to.
 *
 * @package Reprise
 */

namespace Reprise;

defined( 'ABSPATH' ) || exit;

/** Where Reprise is, what it calls this shop, where deliveries go, and the secret that signs them. */
final class Connection {
	const OPTION = 'woocommerce_reprise_settings';
	const NAMES  = array( 'house', 'shop', 'hook', 'secret' );

	/** @var string The address of Reprise, without a slash at the end. */
	public string $house;
	/** @var string The shop's public key, which pages may show. */
	public string $shop;
	/** @var string Where signed deliveries go. */
	public string $hook;
	/** @var string The key that signs: bytes. */
	private string $key;

	private function __construct( array $values ) {
		$this->house = untrailingslashit( $values['house'] );
		$this->shop  = $values['shop'];
		$this->hook  = $values['hook'];
		$this->key   = self::key_of( $values['secret'] );
	}

	/** The connection, or null where a value is missing. What was filled in with the download wins over what was typed. */
	public static function current(): ?Connection {
		$values = self::downloaded() + self::filled( (array) get_option( self::OPTION, array() ) );
		return array() === array_diff( self::NAMES, array_keys( $values ) ) ? new self( $values ) : null;
	}

	/**
	 * The values that came with the download; none where it was a plain one.
	 *
	 * @return string[]
	 */
	public static function downloaded(): array {
		return self::filled( (array) require dirname( MAIN ) . '/connection.php' );
	}

	/**
	 * The headers of Standard Webhooks for a body. The id stays the same over repetitions, the time is that of this try.
	 *
	 * @return string[]
	 */
	public function sign( string $id, int $time, string $body ): array {
		$signature = base64_encode( hash_hmac( 'sha256', "$id.$time.$body", $this->key, true ) );
		return array(
			'Content-Type'      => 'application/json',
			'webhook-id'        => $id,
			'webhook-timestamp' => (string) $time,
			'webhook-signature' => "v1,$signature",
		);
	}

	/**
	 * Those of the values that say something.
	 *
	 * @return string[]
	 */
	private static function filled( array $values ): array {
		$found = array();
		foreach ( self::NAMES as $name ) {
			$value = isset( $values[ $name ] ) ? trim( (string) $values[ $name ] ) : '';
			if ( '' !== $value && 0 !== strpos( $value, '@@' ) ) {
				$found[ $name ] = $value;
			}
		}
		return $found;
	}

	/** A secret is base64 behind `whsec_`; any other is taken as it is. */
	private static function key_of( string $secret ): string {
		$is_ours = 0 === strpos( $secret, 'whsec_' );
		$decoded = $is_ours ? base64_decode( substr( $secret, 6 ), true ) : false;
		return false === $decoded ? $secret : $decoded;
	}
}
